"""A circuit breaker per notified host, shared by all workers through Redis.

Open means: notifications for this host wait, at no cost to their attempts. When the time is up one worker probes the
host (half open); success closes the breaker, failure opens it again. Without Redis there is no breaker.
"""

from __future__ import annotations

from typing import Any

import redis
import structlog

log = structlog.get_logger()

FAILURES_TO_OPEN = 3
REMEMBERED_SECONDS = 600
"""Failures that are further apart do not count as consecutive."""
PROBE_WAIT_SECONDS = 2.0
"""How long other workers wait while one probes."""
PREFIX = "docfleet:notification:breaker:"


class HostBreaker:
    """``open_seconds``: between two probes. ``probe_seconds``: after which a probe without a result is given up."""

    def __init__(self, server: redis.Redis, open_seconds: float, probe_seconds: float) -> None:
        self._redis: Any = server  # the stubs type every answer as sync or async
        self._open_ms = int(open_seconds * 1000)
        self._probe_ms = int(probe_seconds * 1000)

    def wait(self, host: str | None) -> float | None:
        """The seconds to wait. None: send now, and report the result with ``note``."""
        if host is None:
            return None
        try:
            left, failures = self._redis.pipeline().pttl(_key(host, "open")).get(_key(host, "failures")).execute()
            if left > 0:
                return float(left) / 1000
            if int(failures or 0) < FAILURES_TO_OPEN:
                return None
            is_probing = self._redis.set(_key(host, "probe"), "1", nx=True, px=self._probe_ms)
        except redis.RedisError as error:
            log.warning("breaker.unavailable", error=type(error).__name__)
            return None
        return None if is_probing else PROBE_WAIT_SECONDS

    def note(self, host: str | None, *, alive: bool) -> None:
        """Note that ``host`` answered (``alive``), or failed in a way that counts against it."""
        if host is None:
            return
        try:
            if alive:
                if self._redis.delete(_key(host, "failures"), _key(host, "open"), _key(host, "probe")) > 1:
                    log.info("breaker.closed", target=host)
                return
            pipeline = self._redis.pipeline().incr(_key(host, "failures"))
            failures, _ = pipeline.expire(_key(host, "failures"), self._remembered()).execute()
            if failures >= FAILURES_TO_OPEN:
                self._redis.set(_key(host, "open"), "1", px=self._open_ms)
                self._redis.delete(_key(host, "probe"))
                log.warning("breaker.opened", target=host, failures=failures, seconds=self._open_ms / 1000)
        except redis.RedisError as error:
            log.warning("breaker.unavailable", error=type(error).__name__)

    def _remembered(self) -> int:
        return REMEMBERED_SECONDS + self._open_ms // 1000


def _key(host: str, what: str) -> str:
    return f"{PREFIX}{host}:{what}"
