"""Checks before a worker takes work: Redis must not evict keys, and the backend must accept the worker's key."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import redis
import requests
import structlog

from docfleet.core.errors import ConfigurationError
from docfleet.workers.shared.infrastructure.config.settings import WorkerSettings

log = structlog.get_logger()

NO_EVICTION = "noeviction"
CONNECT_SECONDS = 2.0


def check_servers(settings: WorkerSettings) -> bool:
    """Refuse a Redis that evicts keys when its memory is full, because messages, chord counters or results would
    vanish. Refuse a key that the backend does not accept, because this worker could not process the messages it takes.

    Raises ``ConfigurationError`` with the remedy. A Redis whose ``CONFIG`` is forbidden is accepted with a warning.
    False when a server did not answer: check again once the worker is connected.
    """
    purposes = {"CELERY_BROKER_BASE_URL": settings.broker_url, "CELERY_RESULT_BACKEND": settings.celery_result_backend}
    answered = True
    checked: set[str] = set()
    for name, url in purposes.items():
        plain = plain_redis_url(url)
        if plain is None or plain.partition("?")[0] in checked:
            continue
        checked.add(plain.partition("?")[0])
        answered &= _check_eviction(name, plain)
    return _check_key(settings) and answered


def plain_redis_url(url: str) -> str | None:
    """A URL as Celery and kombu write it for redis-py; None for another server, and for Sentinel, whose master
    is not known before a query."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme in {"redis+socket", "unix"}:
        database = query.get("virtual_host", query.get("db", "0")).strip("/")
        kept = {"db": database} | {name: query[name] for name in ("password", "username") if name in query}
        return f"unix://{parts.netloc}{parts.path}?{urlencode(kept)}"
    if parts.scheme not in {"redis", "rediss"}:
        return None
    query = {name: value for name, value in query.items() if name.startswith("ssl_")}
    if "ssl_cert_reqs" in query:
        query["ssl_cert_reqs"] = query["ssl_cert_reqs"].removeprefix("CERT_").lower()
    return urlunsplit(parts._replace(query=urlencode(query)))


def _check_key(settings: WorkerSettings) -> bool:
    url = f"{settings.internal_api_base_url.rstrip('/')}/v1/health/"
    try:
        with requests.Session() as session:
            session.trust_env = False
            session.headers["Authorization"] = f"Bearer {settings.internal_service_api_key}"
            status = session.get(url, timeout=CONNECT_SECONDS, allow_redirects=False).status_code
    except requests.RequestException as error:
        log.info("backend.not_asked", reason=type(error).__name__)
        return False
    if status == HTTPStatus.UNAUTHORIZED:
        raise ConfigurationError(
            "the backend refuses INTERNAL_SERVICE_API_KEY: give this worker and the backend at INTERNAL_API_BASE_URL "
            "the same key (while keys are changed, the backend's previous one is INTERNAL_SERVICE_API_KEY_PREVIOUS)"
        )
    return status == HTTPStatus.OK


def _check_eviction(name: str, url: str) -> bool:
    server = redis.Redis.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS)
    try:
        answer: dict[str, str] = server.config_get("maxmemory-policy")  # type: ignore[assignment]  # not async
        policy = answer.get("maxmemory-policy", NO_EVICTION)
    except redis.ResponseError as error:
        log.warning("redis.policy_unknown", setting=name, reason=str(error), remedy=_remedy(name))
        return True
    except (redis.RedisError, OSError) as error:
        log.info("redis.not_asked", setting=name, reason=type(error).__name__)
        return False
    finally:
        server.close()
    if policy != NO_EVICTION:
        raise ConfigurationError(
            f"the Redis of {name} may drop messages and results when its memory is full (maxmemory-policy {policy}): "
            f"{_remedy(name)}"
        )
    return True


def _remedy(name: str) -> str:
    own = f"give {name} a server of its own and keep caches on another"
    return f"set `maxmemory-policy {NO_EVICTION}` there, or {own}"
