"""The cache decorator: organization in every key, a failed call is made once, a cache that is away is a miss."""

from __future__ import annotations

from typing import Any

import pytest

from docfleet.core.errors import BackendUnavailable
from docfleet.workers.shared.cache.decorators import cached
from docfleet.workers.shared.cache.keys import cache_key
from docfleet.workers.shared.cache.redis_cache import MemoryCache, RedisCache


class Client:
    def __init__(self, organization_id: str, cache: Any, answer: Any = "value") -> None:
        self.organization_id = organization_id
        self.cache = cache
        self.answer = answer
        self.calls: list[str] = []

    @cached("thing", 60)
    def thing(self, name: str) -> Any:
        self.calls.append(name)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_hit_makes_no_call_and_none_is_a_value() -> None:
    client = Client("org", MemoryCache(), answer=None)
    assert [client.thing("a"), client.thing("a"), client.thing("b")] == [None, None, None]
    assert client.calls == ["a", "b"]


def test_one_organization_never_sees_anothers_entry() -> None:
    cache = MemoryCache()
    first, second = Client("org-a", cache, "a"), Client("org-b", cache, "b")
    assert (first.thing("x"), second.thing("x")) == ("a", "b")
    assert all("org-a" in key or "org-b" in key for key in cache.entries)
    assert cache_key("k", "a:b", "c") != cache_key("k", "a", "b", "c")


def test_a_failed_call_is_made_once_and_not_cached() -> None:
    client = Client("org", MemoryCache(), answer=BackendUnavailable("away"))
    with pytest.raises(BackendUnavailable):
        client.thing("a")
    assert client.calls == ["a"]
    client.answer = "back"
    assert client.thing("a") == "back"


def test_a_cache_that_is_away_is_a_miss() -> None:
    client = Client("org", RedisCache("redis://127.0.0.1:1/0"))
    assert client.thing("a") == "value"
    assert client.thing("a") == "value"
    assert client.calls == ["a", "a"]
