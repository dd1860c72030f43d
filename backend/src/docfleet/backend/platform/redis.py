"""Connections to Redis. The backend works without it, so every wait is short."""

from __future__ import annotations

import redis

from docfleet.core.errors import ConfigurationError


def normalise_url(url: str) -> str:
    """``url`` as the client library accepts it. Raises ``ConfigurationError``."""
    if url.startswith("redis+socket://"):
        url = "unix://" + url.removeprefix("redis+socket://").replace("virtual_host=", "db=")
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ConfigurationError("setting REDIS_URL has to begin with redis://, rediss:// or unix://")
    return url


def connect(url: str | None, timeout_seconds: float) -> redis.Redis | None:
    """A client whose every call takes at most ``timeout_seconds``; None without a URL. Nothing is contacted yet.

    Raises ``ConfigurationError``.
    """
    if url is None:
        return None
    return redis.Redis.from_url(
        normalise_url(url), socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds
    )
