"""Limits on concurrent executions of APIs, kept in Redis so that all backends share them.

Each running execution is a member of two sorted sets, its organization's and the global one, scored by its start.
Without Redis there is no limit: calls are admitted, and the log and a counter show it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import redis
import structlog
from redis import RedisError
from sqlalchemy import select

from docfleet.backend.calls.refusals import CallRefused
from docfleet.backend.platform.db import Database, chunks
from docfleet.backend.platform.redis import connect
from docfleet.backend.platform.waiting import channel
from docfleet.backend.tables.executions import executions
from docfleet.core.status import FINAL

log = structlog.get_logger(__name__)

GLOBAL = "api_deployment:rate_limit:global"
_ORGANIZATION = "api_deployment:rate_limit:org:"
STALE_SECONDS = 6 * 3600
GRACE_SECONDS = 120.0
"""A slot is acquired before the row of its execution is written: a younger slot without a row is not freed."""

RETRY_AFTER_SECONDS = 2
CHECK_AFTER_REFUSAL_SECONDS = 10.0
"""For this many seconds after a refusal, calls are checked before their files are received."""
_REDIS_PAUSE_SECONDS = 5.0
_TIMEOUT_SECONDS = 1.0

_ACQUIRE = """
local now = redis.call('TIME')
now = tonumber(now[1]) + tonumber(now[2]) / 1000000
for _, key in ipairs(KEYS) do redis.call('ZREMRANGEBYSCORE', key, '-inf', now - tonumber(ARGV[4])) end
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 1 end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[3]) then return 2 end
for _, key in ipairs(KEYS) do
  redis.call('ZADD', key, now, ARGV[1])
  redis.call('EXPIRE', key, tonumber(ARGV[4]))
end
return 0
"""


_FULL = """
local now = redis.call('TIME')
local oldest = tonumber(now[1]) - tonumber(ARGV[3])
if redis.call('ZCOUNT', KEYS[1], oldest, '+inf') >= tonumber(ARGV[1]) then return 1 end
if redis.call('ZCOUNT', KEYS[2], oldest, '+inf') >= tonumber(ARGV[2]) then return 2 end
return 0
"""


class Slots:
    """The slots of running executions. ``unavailable`` counts the calls that were admitted unchecked."""

    def __init__(self, url: str | None, organization_limit: int, global_limit: int) -> None:
        self.unavailable = 0
        self._organization_limit = organization_limit
        self._global_limit = global_limit
        self._client = connect(url, _TIMEOUT_SECONDS)
        self._paused_until = 0.0
        self._lock = threading.Lock()
        if self._client is not None:
            self._script = self._client.register_script(_ACQUIRE)
            self._full = self._client.register_script(_FULL)
        self._crowded: dict[str, float] = {}

    def acquire(self, organization_id: str, execution_id: str, organization_limit: int | None = None) -> None:
        """Acquire a slot. Raises ``CallRefused`` (429) when there is none."""
        limit = organization_limit or self._organization_limit
        keys = [_ORGANIZATION + organization_id, GLOBAL]
        args: list[str | int] = [execution_id, limit, self._global_limit, STALE_SECONDS]
        full = self._try(lambda client: self._script(keys=keys, args=args, client=client))
        if full:
            raise self._refused(organization_id, full, limit)

    def check(self, organization_id: str, organization_limit: int | None = None) -> None:
        """Refuse (429) a call for which there is no slot, before anything is done for it. Acquires none.

        Redis is called only for a while after a refusal, so the check costs nothing while there are slots.
        """
        if self._crowded.get(organization_id, 0.0) < time.monotonic():
            return
        limit = organization_limit or self._organization_limit
        keys = [_ORGANIZATION + organization_id, GLOBAL]
        args: list[str | int] = [limit, self._global_limit, STALE_SECONDS]
        # Not counted: ``acquire`` follows, and counts the call that is admitted unchecked.
        full = self._try(lambda client: self._full(keys=keys, args=args, client=client), counted=False)
        if full:
            raise self._refused(organization_id, full, limit)

    def _refused(self, organization_id: str, full: int, limit: int) -> CallRefused:
        self._crowded[organization_id] = time.monotonic() + CHECK_AFTER_REFUSAL_SECONDS
        what = f"{limit} executions of this organization run" if full == 1 else "too many executions run"
        return CallRefused(429, "throttled", f"{what} already: try again later", retry_after=RETRY_AFTER_SECONDS)

    def release(self, ended: list[tuple[str, str]], *, announce: bool = True) -> None:
        """Free the slots of (organization, execution), and announce to other processes that they ended."""

        def run(client: redis.Redis) -> None:
            with client.pipeline(transaction=False) as pipeline:
                for organization_id, execution_id in ended:
                    pipeline.zrem(_ORGANIZATION + organization_id, execution_id)
                    pipeline.zrem(GLOBAL, execution_id)
                    if announce:
                        pipeline.publish(channel(execution_id), "1")
                pipeline.execute()

        self._try(run, counted=False)

    def purge(self, database: Database) -> int:
        """Free slots whose execution is final or was never written; how many."""
        members = self._try(self._members, counted=False) or []
        ids = sorted({execution_id for _, execution_id, _ in members})
        final: dict[str, bool] = {}
        with database.reading() as connection:
            for part in chunks(ids):
                rows = connection.execute(select(executions.c.id, executions.c.status).where(executions.c.id.in_(part)))
                final |= {row.id: row.status in FINAL for row in rows}
        young = time.time() - GRACE_SECONDS
        stale = [
            (organization_id, execution_id)
            for organization_id, execution_id, since in members
            if final.get(execution_id, since < young)
        ]
        if stale:
            self.release(stale, announce=False)
            log.info("rate_limit.purged", executions=len(stale))
        return len(stale)

    def _members(self, client: redis.Redis) -> list[tuple[str, str, float]]:
        slots = []
        for key in client.scan_iter(match=_ORGANIZATION + "*", count=500):
            organization_id = key.decode().removeprefix(_ORGANIZATION)
            members: Any = client.zrange(key, 0, -1, withscores=True)
            for member, score in members:
                slots.append((organization_id, member.decode(), float(score)))
        return slots

    def _try[T](self, call: Callable[[redis.Redis], T], *, counted: bool = True) -> T | None:
        if self._client is None:
            return None
        if time.monotonic() >= self._paused_until:
            try:
                return call(self._client)
            except (RedisError, OSError) as error:
                # One call waits for the time-out, the next ones are admitted at once.
                self._paused_until = time.monotonic() + _REDIS_PAUSE_SECONDS
                log.warning("rate_limit.unavailable", error=str(error))
        if counted:
            with self._lock:
                self.unavailable += 1
        return None

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
