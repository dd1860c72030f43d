"""What a worker asks its Redis servers before it trusts them with messages and results."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import redis
import structlog

from docfleet.core.errors import ConfigurationError
from docfleet.workers.shared.infrastructure.config.settings import WorkerSettings

log = structlog.get_logger()

KEEPS_EVERYTHING = "noeviction"
CONNECT_SECONDS = 2.0


def check_servers(settings: WorkerSettings) -> bool:
    """Refuse a Redis that drops keys when its memory is full: a message, a chord's count or a result would vanish.

    Raises ``ConfigurationError`` with the remedy. A server that does not tell (its ``CONFIG`` is forbidden) is taken
    with a warning. False when one did not answer: ask again once the worker is connected.
    """
    purposes = {"CELERY_BROKER_BASE_URL": settings.broker_url, "CELERY_RESULT_BACKEND": settings.celery_result_backend}
    answered = True
    asked: set[str] = set()
    for name, url in purposes.items():
        plain = plain_redis_url(url)
        if plain is None or plain.partition("?")[0] in asked:
            continue
        asked.add(plain.partition("?")[0])
        answered &= _check_eviction(name, plain)
    return answered


def plain_redis_url(url: str) -> str | None:
    """A URL as Celery and kombu write it for redis-py; None for another server, and for Sentinel, whose master
    is not known before it is asked."""
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


def _check_eviction(name: str, url: str) -> bool:
    server = redis.Redis.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS)
    try:
        told: dict[str, str] = server.config_get("maxmemory-policy")  # type: ignore[assignment]  # it is not async
        policy = told.get("maxmemory-policy", KEEPS_EVERYTHING)
    except redis.ResponseError as error:
        log.warning("redis.policy_unknown", setting=name, reason=str(error), remedy=_remedy(name))
        return True
    except (redis.RedisError, OSError) as error:
        log.info("redis.not_asked", setting=name, reason=type(error).__name__)
        return False
    finally:
        server.close()
    if policy != KEEPS_EVERYTHING:
        raise ConfigurationError(
            f"the Redis of {name} may drop messages and results when its memory is full (maxmemory-policy {policy}): "
            f"{_remedy(name)}"
        )
    return True


def _remedy(name: str) -> str:
    own = f"give {name} a server of its own and keep caches on another"
    return f"set `maxmemory-policy {KEEPS_EVERYTHING}` there, or {own}"
