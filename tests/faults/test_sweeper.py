"""Who sweeps dies, sleeps, or is not alone; a stop while a worker sleeps; a long queue is no loss.

Stops of running executions in general are ``tests/acceptance/executions/test_stop.py``.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from docfleet.core.names import QueueName, WorkerType
from tests.acceptance.fleet import SETTINGS as FLEET_SETTINGS
from tests.acceptance.fleet import Stage, until
from tests.acceptance.published import Published
from tests.faults.fault_run import DEADLINE_SECONDS, PATIENCE_SECONDS, FaultRun
from tests.faults.world import BATCHES, LEASE_SECONDS, SWEEP_SECONDS, World
from tests.servers import free_port

SETTINGS = {"API_CONCURRENT_LIMIT_ORG": "10000", "API_CONCURRENT_LIMIT_GLOBAL": "10000"}
FILES = {f"{number:02}.txt": f"document {number}" for number in range(8)}
COMPLETED = dict.fromkeys(FILES, "COMPLETED")
DISPATCH_SECONDS = float(FLEET_SETTINGS["DISPATCH_DEADLINE_SECONDS"])
LEADER_SECONDS = 10.0
"""How long a sweeper that died keeps others from sweeping, at most: ``sweep.LEASE_SECONDS``."""
RUNS = 3


@contextmanager
def lost_batches(world: World) -> Iterator[list[FaultRun]]:
    """Executions whose messages are gone, and nobody who sweeps; each is due. Afterwards both work again."""
    world.rest("scheduler", "file_processing")
    world.clear(QueueName.FILE_PROCESSING)
    runs = [world.begin(FILES) for _ in range(RUNS)]
    until(lambda: world.queued(QueueName.FILE_PROCESSING) >= RUNS * BATCHES, what="the batches were not sent")
    purge(world, QueueName.FILE_PROCESSING)
    until(lambda: all(time.time() - run.execution()["progress_at"] > DISPATCH_SECONDS for run in runs))
    yield runs
    world.wake("scheduler", "file_processing")
    for run in runs:
        run.check(COMPLETED, wait=LEADER_SECONDS + DEADLINE_SECONDS + PATIENCE_SECONDS)


def purge(world: World, queue: QueueName) -> None:
    """Its messages are lost."""
    with world.channel() as channel:
        channel.queue_purge(queue.value)
    assert world.queued(queue) == 0


def sweep(url: str, key: str) -> dict[str, int]:
    """One sweep by the backend at ``url``."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/internal/v1/sweep/", data=b"{}", headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60.0) as answer:
        found: dict[str, int] = json.load(answer)
        return found


# Who sweeps


@pytest.mark.parametrize("hit", [1, 2])
def test_the_sweeper_is_killed_in_the_middle(world: World, hit: int) -> None:
    """What it had begun, its successor does; it waits for the leader's lease, once."""
    with lost_batches(world):
        world.arm(f"sweep.middle=kill_group@{hit}")
        assert world.sweep() == {}
        world.await_met("sweep.middle")
        world.await_ready("backend")


@pytest.mark.short
def test_the_scheduler_is_killed(world: World) -> None:
    """Whoever ticks holds nothing: it starts again, and a lost worker is noticed as if it had never been away."""
    world.arm("delivery.written=kill_group@1")
    run = world.begin(FILES)
    world.await_met("delivery.written")
    world.kill("scheduler")
    run.check(COMPLETED)
    world.kill("scheduler", child=True)
    world.await_ready("scheduler")
    world.arm("delivery.before=kill_group@1")
    world.begin(FILES).check(COMPLETED)


@pytest.mark.short
def test_two_sweepers_at_once(world: World) -> None:
    """The second one does nothing while the first is at it; each lost batch is sent once."""
    with lost_batches(world) as runs, ThreadPoolExecutor(4) as pool:
        world.arm("sweep.middle=hold@1")
        first = pool.submit(world.sweep)
        world.await_met("sweep.middle")
        for answer in pool.map(lambda _: world.sweep(), range(3)):
            assert answer and not any(answer.values()), f"a second sweeper swept: {answer}"
        world.disarm()
        assert first.result(60)["redispatched_executions"] == len(runs)
        assert world.queued(QueueName.FILE_PROCESSING) == len(runs)


def test_the_leader_sleeps_past_its_lease(world: World) -> None:
    """Another backend takes over. When the leader wakes up it acts on nothing it saw before."""
    with lost_batches(world) as runs, second_backend(world) as url:
        world.arm("sweep.middle=stop@1")
        caller = threading.Thread(target=world.sweep, daemon=True)
        caller.start()
        world.await_met("sweep.middle")
        began = time.monotonic()
        try:
            assert not any(sweep(url, world.addresses.key).values()), "two sweep at once"
            until(lambda: any(sweep(url, world.addresses.key).values()), LEADER_SECONDS + 30, what="nobody took over")
            print(f"taken over after {time.monotonic() - began:.1f} s")
            assert time.monotonic() - began >= LEADER_SECONDS / 2, "taken over while the leader's lease ran"
            assert world.queued(QueueName.FILE_PROCESSING) >= len(runs) - 1
        finally:
            world.members["backend"].process.signal(signal.SIGCONT)
        caller.join(60)
        # The first one was on the leader's list when it fell asleep, and may have been due again when it woke up.
        sent = world.queued(QueueName.FILE_PROCESSING)
        assert sent <= len(runs) + 1, f"{sent} messages: it sent again what its successor had sent"


def test_an_execution_that_somebody_has_locked_keeps_no_other_waiting(world: World) -> None:
    """A backend that hangs in a transaction: the sweep goes on to the next one at once."""
    if world.leg == "redis":
        pytest.skip("SQLite has one lock for all rows")
    with lost_batches(world) as runs, world.database.begin() as connection:
        connection.execute(sa.text("SELECT 1 FROM executions WHERE id = :id FOR UPDATE"), {"id": runs[0].id})
        began = time.monotonic()
        assert world.sweep().get("redispatched_executions") == len(runs) - 1
        assert time.monotonic() - began < 5


@contextmanager
def second_backend(world: World) -> Iterator[str]:
    """One more on the same rows; its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    port = {"BACKEND_PORT": url.rpartition(":")[2]}
    world.add("backend-2", ("backend",), world.url_answers(url), port)
    world.await_ready("backend-2")
    try:
        yield url
    finally:
        world.remove("backend-2")


# A stop while a worker sleeps


@pytest.mark.parametrize("destination", ["sqlite", "files"])
def test_a_worker_sleeps_through_the_stop(world: World, destination: str) -> None:
    """It held a file when it fell asleep: the stop waits for its lease, then is final. Whoever wakes up late changes
    neither the rows nor the destination."""
    world.arm("delivery.before(03.txt)=stop@1")
    run = world.begin(FILES, destination=destination)
    (holder,) = world.await_met("delivery.before")
    until(lambda: sum(run.delivered().values()) == len(FILES) - 1, what="the other files are not delivered")
    try:
        world.client.stop_execution(run.id, wait=0)
        run.check({**COMPLETED, "03.txt": "STOPPED"}, wait=LEASE_SECONDS + DEADLINE_SECONDS + PATIENCE_SECONDS)
        before = run.fingerprint()
        world.arm("batch.returned=mark")
    finally:
        os.kill(holder, signal.SIGCONT)
    until(lambda: holder in world.met("batch.returned"), 60, what="who slept did not go on")
    assert run.fingerprint() == before, "something was delivered after the stop"
    run.check_again()


def test_what_is_reported_after_the_stop_changes_nothing(world: World) -> None:
    stage = Stage(world.folder / f"stage-{len(world.runs)}")
    run = world.begin({**FILES, "slow.txt": "wait"}, tool=stage.tool)
    stage.await_starts(1)
    until(lambda: run.file("slow.txt")["status"] == "EXECUTING")
    until(lambda: sum(run.delivered().values()) == len(FILES), what="the other files are not delivered")
    slow = run.file("slow.txt")
    world.client.stop_execution(run.id, wait=10)
    run.check({**COMPLETED, "slow.txt": "STOPPED"})
    outcome = {"file_execution_id": slow["id"], "attempt": slow["attempt"], "status": "COMPLETED"}
    body = {"owner": slow["owner"], "lease_seconds": LEASE_SECONDS, "outcomes": [outcome]}
    answer = internal(world, f"workflow-execution/{run.id}/files/report/", body)
    assert [refused["reason"] for refused in answer["refused"]] == ["already_final"]
    run.check_again()


def internal(world: World, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """A call as a worker makes it."""
    headers = {"Authorization": f"Bearer {world.addresses.key}", "Content-Type": "application/json"}
    headers["X-Organization-ID"] = world.client.organization_id
    url = f"{world.addresses.backend_url}/internal/v1/{path}"
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60.0) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


# A long queue

BACKLOG = 500
CALLERS = 4


@pytest.mark.timeout(900)
def test_a_long_queue_is_no_loss(world: World) -> None:
    """Five hundred executions wait while the sweep runs: none is sent twice or failed for it, and all of them end."""
    world.rest("api_deployment")
    api = Published.publish(world)  # type: ignore[arg-type]

    def call(number: int) -> str:
        answer = api.post((f"{number}.txt", f"document {number}"), timeout="0")
        assert answer.status == 200, answer
        return str(answer.body["message"]["execution_id"])

    with ThreadPoolExecutor(CALLERS) as pool:
        began = time.monotonic()
        ids = list(pool.map(call, range(BACKLOG)))
    print(f"{BACKLOG} calls in {time.monotonic() - began:.0f} s")
    # All of them are overdue, by several sweeps.
    until(lambda: time.monotonic() - began > 2 * DISPATCH_SECONDS + 3 * SWEEP_SECONDS)
    waiting = world.queued(QueueName.API_DEPLOYMENTS)
    assert BACKLOG <= waiting <= BACKLOG * 1.02, f"{waiting} messages for {BACKLOG} executions"
    other = world.add_worker(WorkerType.API_DEPLOYMENT)
    world.wake("api_deployment")
    try:
        until(lambda: not statuses(world, ids, "PENDING", "EXECUTING"), 600, what="they did not end")
    finally:
        world.remove(other.process.name)
    assert statuses(world, ids, "COMPLETED") == BACKLOG
    assert repeated(world, ids) <= BACKLOG * 0.1, "a long queue was filled with copies"


def statuses(world: World, ids: list[str], *wanted: str) -> int:
    """How many of these executions have one of these statuses."""
    with world.database.connect() as connection:
        found = dict(connection.execute(sa.text("SELECT id, status FROM executions")).all())  # type: ignore[arg-type]
    return sum(found[execution_id] in wanted for execution_id in ids)


def repeated(world: World, ids: list[str]) -> int:
    """How many of these executions were sent again before ten deadlines had passed, after which they may be."""
    with world.database.connect() as connection:
        query = "SELECT id FROM executions WHERE redispatched_at < created_at + :patience"
        found = set(connection.scalars(sa.text(query), {"patience": 10 * DISPATCH_SECONDS}))
    return len(found & set(ids))
