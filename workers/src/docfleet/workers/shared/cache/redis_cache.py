"""A cache of JSON values in Redis. An unavailable cache is a miss, never an error."""

from __future__ import annotations

from typing import Any

import msgspec
import redis
import structlog

log = structlog.get_logger()

TIMEOUT_SECONDS = 1.0


class RedisCache:
    """Values by key with a time to live in seconds."""

    def __init__(self, url: str) -> None:
        self._redis: redis.Redis = redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        )

    def get(self, key: str) -> tuple[bool, Any]:
        """``(True, value)``, or ``(False, None)`` on a miss, a value that cannot be read, or no Redis."""
        try:
            raw = self._redis.get(key)
        except redis.RedisError as error:
            log.warning("cache.unavailable", error=str(error))
            return False, None
        if raw is None:
            return False, None
        try:
            return True, msgspec.json.decode(raw)  # type: ignore[arg-type]  # redis types get() as sync or async
        except msgspec.DecodeError:
            log.warning("cache.unreadable", cache_entry=key)
            return False, None

    def put(self, key: str, value: Any, ttl_seconds: int) -> None:
        """Store for ``ttl_seconds``."""
        try:
            self._redis.set(key, msgspec.json.encode(value), ex=ttl_seconds)
        except redis.RedisError as error:
            log.warning("cache.unavailable", error=str(error))

    def close(self) -> None:
        """Drop the connections."""
        self._redis.close()


class MemoryCache:
    """The same in memory, for tests; entries do not expire."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}

    def get(self, key: str) -> tuple[bool, Any]:
        """As ``RedisCache.get``."""
        if key not in self.entries:
            return False, None
        return True, msgspec.json.decode(self.entries[key])

    def put(self, key: str, value: Any, ttl_seconds: int) -> None:
        """As ``RedisCache.put``."""
        self.entries[key] = msgspec.json.encode(value)

    def close(self) -> None:
        """Nothing to close."""
