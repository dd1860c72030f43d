"""Operations: time limits of a batch, organizations kept apart, messages of another version, memory, components that
start in any order, workers of one name.

An execution is one batch here: its files are worked on one after another, by one process.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import kombu
import pytest

from docfleet.cli.management import ManagementClient
from docfleet.core.names import QueueName, TaskName, WorkerType
from tests.acceptance.fleet import Stage
from tests.acceptance.published import Published
from tests.faults.fault_run import DEADLINE_SECONDS, PATIENCE_SECONDS, FaultRun
from tests.faults.members import CHILDREN
from tests.faults.nonsense import NONSENSE
from tests.faults.world import World
from tests.servers import free_port
from tests.task_messages import envelope
from tests.waiting import until

SETTINGS = {
    "FILE_PROCESSING_CONCURRENCY": "1",
    "MAX_WORKER_LOSSES": "3",
    "LOG_FORMAT": "json",
    # A test waits until a tool has run so long.
    "TOOL_TIMEOUT_SECONDS": "8",
}
FILES = {f"{number:02}.txt": f"document {number}" for number in range(8)}
COMPLETED = dict.fromkeys(FILES, "COMPLETED")
THREE = {"1.txt": "first", "2.txt": "wait", "3.txt": "third"}
FIVE = {**THREE, "4.txt": "fourth", "5.txt": "fifth"}
"""Of these a batch claims three at once: one is behind the one that takes too long."""
CHORD_UNLOCK = "celery.chord_unlock"


# Time limits of a batch


@pytest.mark.short
def test_the_second_of_three_files_takes_too_long(world: World) -> None:
    """It alone fails, with that cause; its tool is ended."""
    stage = Stage(world.folder / f"stage-{len(world.runs)}")
    with world.patient():
        run = world.begin(THREE, tool=stage.tool)
        run.check({"1.txt": "COMPLETED", "2.txt": "ERROR", "3.txt": "COMPLETED"})
    assert "ran longer than" in run.file("2.txt")["error"]
    assert_tools_ended(stage, 1)


def test_the_batch_runs_into_its_soft_limit(world: World) -> None:
    """Long before the file's own limit. The others are handed to a batch of their own; the file is tried so often and
    no oftener."""
    stage = Stage(world.folder / f"stage-{len(world.runs)}")
    limits = {"FILE_PROCESSING_TASK_SOFT_TIME_LIMIT": "4", "FILE_PROCESSING_TASK_TIME_LIMIT": "60"}
    with world.instead(slots=1, **limits):
        run = world.begin(FIVE, tool=stage.tool)
        run.check(dict.fromkeys(FIVE, "COMPLETED") | {"2.txt": "ERROR"}, wait=4 * DEADLINE_SECONDS + 120)
    assert run.file("2.txt")["error"]
    assert {run.file(name)["losses"] for name in FIVE if name != "2.txt"} == {0}
    assert_tools_ended(stage, 3)


def test_the_batch_runs_into_its_hard_limit(world: World) -> None:
    """A child that does not even hear of its soft limit is killed; the file at fault fails alone."""
    world.arm("tool.before(2.txt)=stop")
    limits = {"FILE_PROCESSING_TASK_SOFT_TIME_LIMIT": "3", "FILE_PROCESSING_TASK_TIME_LIMIT": "5"}
    with world.instead(slots=1, **limits):
        run = world.begin({**THREE, "2.txt": "second"})
        run.check({"1.txt": "COMPLETED", "2.txt": "ERROR", "3.txt": "COMPLETED"}, wait=4 * DEADLINE_SECONDS + 120)
    assert run.file("2.txt")["strikes"] == 3
    assert {run.file(name)["strikes"] for name in ("1.txt", "3.txt")} == {0}


def assert_tools_ended(stage: Stage, most: int) -> None:
    """At most so many were started, and none runs on."""
    pids = [int(path.name.split(".")[1]) for path in stage.folder.glob("*.started")]
    assert 1 <= len(pids) <= most
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), what="a tool runs on")


# Organizations are kept apart


@pytest.mark.short
@pytest.mark.parametrize("fault", ["batch.claimed=raise@1", "tool.before=raise@1", "delivery.before=sleep:6@1"])
def test_nothing_of_one_organization_is_seen_by_the_next(world: World, fault: str) -> None:
    """One child. A task of the first organization fails or runs into its time limit; what comes next, a task of nobody
    and one of another organization, has nothing of it in its log lines, and its work is its own."""
    limits = {"FILE_PROCESSING_TASK_SOFT_TIME_LIMIT": "4", "FILE_PROCESSING_TASK_TIME_LIMIT": "60"}
    other = f"other-{uuid.uuid4().hex[:6]}"
    ManagementClient(world.addresses, other).put_organization()
    apis = [Published.publish(world, {"tool": "actor"}, organization=name) for name in ("default", other)]  # type: ignore[arg-type]
    with world.instead(slots=1, **limits) as worker:
        (pid,) = worker.children()
        world.arm(fault)
        first = call(world, apis[0], "one")
        world.await_met(fault.partition("=")[0])
        with world.channel() as channel:
            world.publish(channel, QueueName.FILE_PROCESSING, NONSENSE, **envelope(TaskName.PROCESS_FILE_BATCH.value))
        second = call(world, apis[1], "two")
        second.wait()
        assert (second.statuses(), second.delivered()) == ({"doc.txt": "COMPLETED"}, {"doc.txt": 1})
        first.check({"doc.txt": "ERROR" if fault.startswith("tool.before") else "COMPLETED"})
        assert worker.children() == [pid], "it was not one child"
        lines = [json.loads(line) for line in worker.process.log.read_text().splitlines() if line.startswith("{")]
    mine = [line for line in lines if line.get("execution_id") == second.id]
    assert mine and {line["organization_id"] for line in mine} == {other}
    tasks: dict[str, set[str]] = {}
    for line in lines:
        if "task_id" in line:
            tasks.setdefault(line["task_id"], set()).add(str(line.get("execution_id")))
    assert all(len(seen - {"None"}) <= 1 for seen in tasks.values()), tasks
    nobodys = [line for line in lines if line["event"] == "batch.failed" and line.get("code") == "invalid_input"]
    assert nobodys and not any(
        "organization_id" in line or "execution_id" in line or "file_execution_id" in line for line in nobodys
    ), nobodys


def call(world: World, api: Published, text: str) -> FaultRun:
    answer = api.post(("doc.txt", text), timeout="0")
    assert answer.status == 200, answer
    return world.remember(FaultRun(world, answer.body["message"]["execution_id"], "api", api=api))


# Messages of another version


@pytest.mark.short
def test_messages_of_a_newer_version(world: World) -> None:
    """Fields nobody here knows, in every message of an execution and at every depth, are passed over. Without the
    sweep, which would send again what was refused."""
    world.rest("scheduler", "general", "file_processing", "callback")
    world.clear(QueueName.GENERAL, QueueName.FILE_PROCESSING, QueueName.FILE_PROCESSING_CALLBACK)
    run = world.begin(FILES)
    await_and_rewrite(world, QueueName.GENERAL, 1)
    # Two batches: a chord, which has a callback.
    other = world.add_worker(WorkerType.GENERAL, settings={"FILE_PROCESSING_CONCURRENCY": "2"})
    await_and_rewrite(world, QueueName.FILE_PROCESSING, 2)
    world.remove(other.process.name)
    world.wake("general", "file_processing")
    await_and_rewrite(world, QueueName.FILE_PROCESSING_CALLBACK, 1)
    world.arm("callback.finalized=mark")
    world.wake("callback")
    world.await_met("callback.finalized")
    run.wait()
    world.wake("scheduler")
    run.check(COMPLETED)


def await_and_rewrite(world: World, queue: QueueName, messages: int) -> None:
    until(lambda: world.queued(queue) >= messages, 60, what=f"there are no {messages} messages in {queue.value}")
    for _ in range(messages):
        rewrite(world, queue)


def rewrite(world: World, queue: QueueName) -> None:
    """The first message is from tomorrow."""
    with world.channel() as channel:
        message = kombu.Queue(queue.value, kombu.Exchange(queue.value), routing_key=queue.value)(channel).get()
        assert message is not None
        args, kwargs, embed = message.payload if isinstance(message.payload, list) else json.loads(message.body)
        if message.headers["task"] == CHORD_UNLOCK:
            # Celery's own message, which waits for the batches: of it only what the callback is given is ours.
            args[1]["kwargs"] = extended(args[1]["kwargs"])
        else:
            args, kwargs = extended(args), extended(kwargs) if kwargs else kwargs
        world.publish(channel, queue, json.dumps([args, kwargs, embed]), message)
        message.ack()


def extended(value: Any) -> Any:
    """Every object of it has a field more."""
    if isinstance(value, dict):
        return {**{key: extended(part) for key, part in value.items()}, "from_tomorrow": {"a": [1]}}
    return [extended(part) for part in value] if isinstance(value, list) else value


# Memory

ROUNDS, ROUND_FILES = 40, 50
GROWTH = 1.2
KILOBYTE = 1024


@pytest.mark.timeout(900)
def test_memory_of_one_child(world: World) -> None:
    """Two thousand files, one in ten of which fails with a megabyte of words: the child does not grow."""
    tool = {"tool": "actor", "settings": {"stage": str(world.folder)}}
    files = {f"{n:02}.txt": "fail" if n % 10 == 0 else f"document {n}" for n in range(ROUND_FILES)}
    expected = {name: "ERROR" if text == "fail" else "COMPLETED" for name, text in files.items()}
    sizes = []
    with world.instead(slots=1) as worker:
        (pid,) = worker.children()
        for _ in range(ROUNDS):
            run = world.run(files, tool=tool)
            assert run.statuses() == expected
            sizes.append(resident(pid))
        assert worker.children() == [pid]
        run.check(expected)
    print(f"resident bytes: {sizes}")
    early, late = max(sizes[2:6]), max(sizes[-4:])
    assert late < GROWTH * early, f"it grew from {early} to {late} bytes"


def test_a_child_is_recycled_without_losing_work(world: World) -> None:
    with world.instead(slots=1, FILE_PROCESSING_MAX_TASKS_PER_CHILD="2") as worker:
        before = worker.children()
        for run in [world.begin(FILES) for _ in range(6)]:
            run.check(COMPLETED)
        assert worker.children() != before, "no child was recycled"
        assert all(row["attempt"] == 1 for row in run.files())


def resident(pid: int) -> int:
    """Bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * KILOBYTE


# Components start in any order


@pytest.mark.parametrize("turn", range(3))
def test_everything_starts_in_any_order(world: World, rng: random.Random, turn: int) -> None:
    """Servers too. What was begun before all went down goes on; nobody has to be started twice by hand."""
    stage = Stage(world.folder / f"stage-{len(world.runs)}-{turn}")
    run = world.begin(THREE, tool=stage.tool)
    stage.await_starts(1)
    stage.open()
    names = list(world.members)
    world.rest(*names)
    for server in world.servers:
        server.kill()
    order: list[Any] = [*names, *world.servers]
    rng.shuffle(order)
    print("order:", [part if isinstance(part, str) else part.process.name for part in order])
    for part in order:
        if isinstance(part, str):
            world.members[part].wanted = True
            world.members[part].keep()
        else:
            part.start()
        time.sleep(rng.uniform(0, 1.5))
    world.await_ready(seconds=120)
    run.check(dict.fromkeys(THREE, "COMPLETED"), wait=DEADLINE_SECONDS + 2 * PATIENCE_SECONDS)
    world.begin(FILES).check(COMPLETED)


def test_two_backends_start_on_an_empty_database(world: World) -> None:
    """At the same time, and one of them before its database server: both serve, on one schema."""
    url = f"sqlite:///{world.folder / 'empty.db'}" if world.leg == "redis" else world.new_database("empty")
    added = []
    if world.leg == "rabbitmq":
        world.postgres.kill()
    for number in (1, 2):
        port = free_port()
        serves = world.url_answers(f"http://127.0.0.1:{port}")
        settings = {"DATABASE_URL": url, "BACKEND_PORT": str(port)}
        added.append(f"backend-empty-{number}")
        world.add(added[-1], ("backend",), serves, settings)
    if world.leg == "rabbitmq":
        time.sleep(2)
        world.postgres.start()
    try:
        until(lambda: all(world.members[name].ready() for name in added), 60, what="a backend does not serve")
    finally:
        for name in added:
            world.remove(name)


@pytest.mark.short
@pytest.mark.parametrize("kind", [WorkerType.FILE_PROCESSING, WorkerType.SCHEDULER])
def test_a_worker_with_a_wrong_key_ends_with_one_clear_line(world: World, kind: WorkerType) -> None:
    """Instead of taking messages it can do nothing with."""
    environment = {**world.environment, "INTERNAL_SERVICE_API_KEY": "wrong-" * 8, "LOG_FORMAT": "console"}
    command = [sys.executable, "-P", "-m", "docfleet.cli.main", "worker", kind.value]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    said = ended.stderr.strip().splitlines()
    assert ended.returncode == 2, ended.stderr
    assert "INTERNAL_SERVICE_API_KEY" in said[-1] and "Traceback" not in ended.stderr
    assert "wrong-" not in ended.stderr
    run = world.begin(FILES)
    run.check(COMPLETED)


# Workers of one name


@pytest.mark.short
def test_workers_of_one_name(world: World) -> None:
    """Same type, host and settings, started at once, and one of them again after a power cut: all of them work."""
    others = [world.add_worker(WorkerType.FILE_PROCESSING, wait=False) for _ in range(2)]
    try:
        world.await_ready()
        world.kill(others[0].process.name)
        until(lambda: others[0].process.starts > 1)
        world.await_ready(*(other.process.name for other in others))
        # As many batches as there are slots.
        world.arm("batch.claimed=hold")
        runs = [world.begin(FILES) for _ in range(CHILDREN * (len(others) + 1))]
        pids = world.await_met("batch.claimed", len(runs))
        assert len({os.getpgid(pid) for pid in pids}) == len(others) + 1, "not all of them took work"
        world.disarm()
        for run in runs:
            run.check(COMPLETED)
    finally:
        for other in others:
            world.remove(other.process.name)
