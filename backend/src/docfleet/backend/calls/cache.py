"""Results that may be read again, kept in Redis for a while.

Only a cache: the rows decide who may read the results, whether they expired and what they are. An unavailable Redis
is a miss. Results that may be read only once are not kept.
"""

from __future__ import annotations

from typing import Any

import msgspec
import redis
import structlog

from docfleet.backend.calls.options import Include
from docfleet.backend.platform.db import Record
from docfleet.backend.platform.redis import connect

log = structlog.get_logger(__name__)

TTL_SECONDS = 600
MAX_BYTES = 4 * 1024**2
_TIMEOUT_SECONDS = 0.5


class ResultCache:
    """Items of final executions under ``api_results:{workflow}:{execution}``, one field per set of flags."""

    def __init__(self, url: str | None) -> None:
        self._client = connect(url, _TIMEOUT_SECONDS)

    def get(self, execution: Record, include: Include) -> list[dict[str, Any]] | None:
        """The items as they were shown with the same flags; None when they are not kept."""
        if self._client is None:
            return None
        try:
            raw: Any = self._client.hget(_key(execution), _field(include))
            return None if raw is None else msgspec.json.decode(raw, type=list[dict[str, Any]])
        except (redis.RedisError, OSError, msgspec.DecodeError) as error:
            log.warning("results_cache.unavailable", error=str(error))
            return None

    def put(self, execution: Record, include: Include, items: list[dict[str, Any]]) -> None:
        """Keep the items of a final execution; large ones are left to the database."""
        raw = msgspec.json.encode(items)
        if self._client is None or len(raw) > MAX_BYTES:
            return
        try:
            with self._client.pipeline() as pipeline:
                pipeline.hset(_key(execution), _field(include), raw.decode())
                pipeline.expire(_key(execution), TTL_SECONDS)
                pipeline.execute()
        except (redis.RedisError, OSError) as error:
            log.warning("results_cache.unavailable", error=str(error))

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()


def _key(execution: Record) -> str:
    return f"api_results:{execution.workflow_id}:{execution.id}"


def _field(include: Include) -> str:
    return "".join(str(int(flag)) for flag in msgspec.structs.astuple(include))
