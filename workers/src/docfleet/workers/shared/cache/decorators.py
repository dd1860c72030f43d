"""``@cached``: keep the answer of a client method for a while.

An error of the call is raised to the caller, and the call is not repeated. An error of the cache is a miss. The
organization is in every key. Answers that hold secrets must not be cached.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, Protocol

from docfleet.workers.shared.cache.keys import cache_key


class Cache(Protocol):
    """What ``cached`` needs: ``RedisCache``, or ``MemoryCache`` in tests."""

    def get(self, key: str) -> tuple[bool, Any]:
        """``(True, value)`` or ``(False, None)``."""

    def put(self, key: str, value: Any, ttl_seconds: int) -> None:
        """Store ``value``."""


class Cacheable(Protocol):
    """A client whose methods may be cached."""

    organization_id: str
    cache: Cache


def cached[C: Cacheable, **P, R](
    kind: str, ttl_seconds: int
) -> Callable[[Callable[Concatenate[C, P], R]], Callable[Concatenate[C, P], R]]:
    """Cache a method that takes strings and returns a JSON value."""

    def decorate(method: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
        def call(self: C, /, *args: P.args, **kwargs: P.kwargs) -> R:
            parts = [str(value) for value in args] + [f"{name}={value}" for name, value in sorted(kwargs.items())]
            key = cache_key(kind, self.organization_id, *parts)
            is_hit, value = self.cache.get(key)
            if is_hit:
                hit: R = value
                return hit
            answer = method(self, *args, **kwargs)
            self.cache.put(key, answer, ttl_seconds)
            return answer

        functools.update_wrapper(call, method)
        return call

    return decorate
