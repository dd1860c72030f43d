"""Results are cached for a while, by what was requested."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from docfleet.backend.calls.cache import MAX_BYTES, TTL_SECONDS, ResultCache
from docfleet.backend.calls.options import Include


class _Execution:
    """What the cache asks of an execution's row."""

    def __init__(self, number: int) -> None:
        self.workflow_id, self.id = "w", f"e{number}"


def test_results_are_kept_for_a_while_and_by_what_was_requested(
    redis_at_socket: str, redis_client: redis.Redis
) -> None:
    cache: Any = ResultCache(redis_at_socket)
    plain, full = Include(), Include(metadata=True, metrics=True, extracted_text=True)
    assert cache.get(_Execution(1), plain) is None
    cache.put(_Execution(1), plain, [{"file": "a", "result": {"output": 1}}])
    assert cache.get(_Execution(1), plain) == [{"file": "a", "result": {"output": 1}}]
    assert cache.get(_Execution(1), full) is None and cache.get(_Execution(2), plain) is None
    assert 0 < int(redis_client.ttl("api_results:w:e1")) <= TTL_SECONDS
    cache.put(_Execution(3), plain, [{"file": "x" * MAX_BYTES}])
    assert redis_client.keys("api_results:w:e3") == []
    cache.close()


@pytest.mark.parametrize("away", [None, "redis://127.0.0.1:1/0"])
def test_without_redis_results_come_from_the_rows(away: str | None) -> None:
    cache: Any = ResultCache(away)
    cache.put(_Execution(1), Include(), [{"file": "a"}])
    assert cache.get(_Execution(1), Include()) is None
    cache.close()
