"""Limits on concurrent calls, with a real Redis and without one."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from docfleet.backend.calls import slots as slots_module
from docfleet.backend.calls.refusals import CallRefused
from docfleet.backend.calls.slots import GLOBAL, Slots
from docfleet.backend.platform.redis import normalise_url as normalise_redis_url
from docfleet.core.errors import ConfigurationError


def test_places_run_out_by_organization_and_in_all(redis_at_socket: str) -> None:
    slots = Slots(redis_at_socket, organization_limit=2, global_limit=3)
    slots.acquire("a", "1")
    slots.acquire("a", "2")
    slots.acquire("a", "2")  # the same execution has its place already
    with pytest.raises(CallRefused) as refused:
        slots.acquire("a", "3")
    assert refused.value.status == 429 and int(refused.value.headers["Retry-After"]) > 0
    slots.acquire("a", "3", organization_limit=5)
    with pytest.raises(CallRefused):
        slots.acquire("b", "4")
    slots.release([("a", "1")])
    slots.release([("a", "1")])
    slots.acquire("b", "4")
    slots.close()


def test_many_threads_never_get_more_places_than_there_are(redis_at_socket: str) -> None:
    slots = Slots(redis_at_socket, organization_limit=7, global_limit=100)
    taken: list[str] = []

    def take(name: str) -> None:
        try:
            slots.acquire("a", name)
            taken.append(name)
        except CallRefused:
            pass

    threads = [threading.Thread(target=take, args=(str(number),)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 7
    slots.close()


def test_a_place_older_than_six_hours_is_given_up(redis_at_socket: str, redis_client: redis.Redis) -> None:
    slots = Slots(redis_at_socket, organization_limit=1, global_limit=1)
    slots.acquire("a", "1")
    for key in redis_client.keys("*"):
        redis_client.zadd(key, {"1": time.time() - slots_module.STALE_SECONDS - 1})
    slots.acquire("a", "2")
    slots.close()


def test_without_redis_calls_are_let_in_and_counted(tmp_path: Path) -> None:
    slots = Slots(f"unix://{tmp_path}/nothing", organization_limit=1, global_limit=1)
    for number in range(3):
        slots.acquire("a", str(number))
    slots.release([("a", "1")])
    assert slots.unavailable == 3
    unlimited = Slots(None, organization_limit=1, global_limit=1)
    for number in range(3):
        unlimited.acquire("a", str(number))


def refuses(slots: Slots, organization: str = "a", limit: int | None = None) -> bool:
    try:
        slots.check(organization, limit)
    except CallRefused as refused:
        assert refused.status == 429 and int(refused.headers["Retry-After"]) > 0
        return True
    return False


def test_after_a_refusal_calls_are_refused_early_until_there_is_a_place(
    redis_at_socket: str, redis_client: Any
) -> None:
    slots = Slots(redis_at_socket, organization_limit=1, global_limit=2)
    slots.acquire("a", "1")
    assert not refuses(slots)  # nobody was refused yet: Redis is not asked
    with pytest.raises(CallRefused):
        slots.acquire("a", "2")
    before = redis_client.dbsize(), redis_client.zcard(slots_module.GLOBAL)
    assert refuses(slots) and refuses(slots)
    assert (redis_client.dbsize(), redis_client.zcard(slots_module.GLOBAL)) == before == (2, 1)
    assert not refuses(slots, limit=2) and not refuses(slots, "b")
    slots.release([("a", "1")])
    assert not refuses(slots)
    slots.acquire("b", "3")
    slots.acquire("c", "4")
    assert refuses(slots)  # full in all
    slots.close()


def test_a_place_that_is_too_old_refuses_nobody(redis_at_socket: str, redis_client: Any) -> None:
    slots = Slots(redis_at_socket, organization_limit=1, global_limit=1)
    slots.acquire("a", "1")
    with pytest.raises(CallRefused):
        slots.acquire("a", "2")
    for key in redis_client.keys("*"):
        redis_client.zincrby(key, -slots_module.STALE_SECONDS - 1, "1")
    assert not refuses(slots)
    slots.close()


def test_without_redis_nobody_is_refused_early(tmp_path: Any) -> None:
    slots = Slots(f"unix://{tmp_path}/nothing", organization_limit=1, global_limit=1)
    slots._crowded["a"] = float("inf")
    assert not refuses(slots) and slots.unavailable == 0
    slots.acquire("a", "1")
    assert slots.unavailable == 1


def test_urls_of_redis() -> None:
    assert normalise_redis_url("redis+socket:///s?virtual_host=2") == "unix:///s?db=2"
    assert normalise_redis_url("rediss://h/1") == "rediss://h/1"
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        normalise_redis_url("amqp://h")


def _members(redis_client: redis.Redis) -> set[str]:
    return {member.decode() for member in redis_client.zrange(GLOBAL, 0, -1)}  # type: ignore[union-attr]


@pytest.fixture
def limited(request: pytest.FixtureRequest, redis_at_socket: str, limited_api: Any) -> Any:
    return limited_api(redis_url=redis_at_socket, api_concurrent_limit_org=2)


def test_a_call_holds_its_place_until_it_ends_whatever_the_end(limited: Any, redis_client: redis.Redis) -> None:
    invoices = limited.publish()
    first, second = invoices.call(("a.txt", b"1")), invoices.call(("b.txt", b"2"))
    refused = invoices.post(("c.txt", b"3"), status=429)
    assert refused["errors"][0]["code"] == "throttled" and invoices.last.headers["Retry-After"] == "2"
    assert _members(redis_client) == {first.id, second.id}
    assert len([path for path in (limited.folder / "storage").rglob("*") if path.is_file()]) == 2
    invoices.work(first)
    third = invoices.call(("c.txt", b"3"))
    limited.post(f"/api/v1/executions/{second.id}/stop")
    third.finalize(error="the source broke")
    assert _members(redis_client) == set()
    limited.recorder.down = True
    invoices.post(("d.txt", b"4"), status=422)
    assert _members(redis_client) == set()
    limited.recorder.down = False
    limited.put("/api/v1/settings/API_CONCURRENT_REQUEST_LIMIT", {"value": 1})
    invoices.call(("e.txt", b"5"))
    invoices.post(("f.txt", b"6"), status=429)


def test_a_call_that_finds_no_place_is_answered_before_its_body_is_looked_at(limited: Any) -> None:
    limited.put("/api/v1/settings/API_CONCURRENT_REQUEST_LIMIT", {"value": 1})
    invoices = limited.publish()
    running = invoices.call(("a.txt", b"1"))
    invoices.post(("b.txt", b"2"), status=429)
    assert invoices.post(status=429)["errors"][0]["code"] == "throttled"  # no file: 415 for who reads it
    invoices.post(("c.txt", b"3"), status=429)
    assert len([path for path in (limited.folder / "storage").rglob("*") if path.is_file()]) == 1
    wrong = limited.client.post(invoices.path, headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 401  # the key comes first: only a caller learns that it is full
    invoices.work(running)
    invoices.post(status=415)
    invoices.call(("c.txt", b"3"))


def test_the_sweep_gives_back_places_that_a_dead_process_kept(limited: Any, redis_client: redis.Redis) -> None:
    invoices = limited.publish()
    run = invoices.call(("a.txt", b"1"))
    key = f"api_deployment:rate_limit:org:{limited.organization}"
    ended = invoices.call(("b.txt", b"2"))
    limited.post(f"/api/v1/executions/{ended.id}/stop")
    for name, since in ((ended.id, time.time()), ("never-written", time.time() - 1000), ("young", time.time())):
        redis_client.zadd(key, {name: since})
        redis_client.zadd(GLOBAL, {name: since})
    limited.post("/internal/v1/sweep/")
    assert _members(redis_client) == {run.id, "young"}
