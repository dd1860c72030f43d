"""A fleet that lacks something says what each open execution waits for, and a stop does not wait for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from docfleet.core.management.executions import WaitReasons
from docfleet.core.names import WorkerType
from docfleet.core.waiting import WaitCause
from tests.faults.fault_run import FaultRun
from tests.faults.world import World
from tests.waiting import until

SETTINGS = {"WORKER_GRACE_SECONDS": "60"}
FILES = {f"{number:02}.txt": f"document {number}" for number in range(4)}
COMPLETED = dict.fromkeys(FILES, "COMPLETED")
WORKER = WorkerType.FILE_PROCESSING.value


def reasons(world: World, run: FaultRun) -> WaitReasons:
    return world.client.wait_reasons(run.id)


def await_cause(world: World, run: FaultRun, cause: WaitCause, seconds: float = 30.0) -> WaitReasons:
    def waits() -> WaitReasons | None:
        now = reasons(world, run)
        return now if now.waiting is not None and now.waiting.cause is cause else None

    found: WaitReasons = until(waits, seconds, what=f"{run.id} does not say {cause}: {reasons(world, run)}")
    return found


def printed(world: World, *arguments: str) -> str:
    environment = {**os.environ, "DOCFLEET_URL": world.addresses.backend_url, "DOCFLEET_KEY": world.addresses.key}
    command = [sys.executable, "-P", "-m", "docfleet.cli.main", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.short
def test_a_missing_runner_is_said_at_once_and_a_stop_does_not_wait_for_it(world: World) -> None:
    world.rest("runner")
    started = time.monotonic()
    run = world.begin(FILES)
    found = await_cause(world, run, WaitCause.RUNNER_AWAY)
    assert found.waiting is not None and "the runner does not answer" in found.waiting.text
    assert time.monotonic() - started < 20
    shown = printed(world, "executions", "why", run.id)
    assert "it waits for runner_away" in shown and "00.txt" in shown, shown
    until(lambda: "waits: the runner" in printed(world, "executions", "logs", run.id), 20, what="no line of it")
    worker = world.members[WORKER]
    worker.wanted = False
    os.kill(worker.pid, signal.SIGTERM)
    until(lambda: not worker.process.runs, 20, what="the worker waits for the runner until it is cut off")
    assert {row["status"] for row in run.files()} <= {"PENDING", "EXECUTING"}
    world.wake(WORKER, "runner")
    run.check(COMPLETED)
    assert reasons(world, run).waiting is None


@pytest.mark.short
def test_a_missing_type_of_worker_is_said_at_once(world: World) -> None:
    world.rest(WORKER)
    run = world.begin(FILES)
    found = await_cause(world, run, WaitCause.NO_WORKER)
    assert found.waiting is not None and f"no worker of type {WORKER}" in found.waiting.text
    assert f"no worker of type {WORKER}" in printed(world, "executions", "why", run.id)
    assert WORKER in printed(world, "executions", "show", run.id)
    world.wake(WORKER)
    run.check(COMPLETED)
