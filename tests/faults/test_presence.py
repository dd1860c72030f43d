"""A whole worker is lost: what it held moves on long before its leases end, and a living worker loses nothing."""

from __future__ import annotations

import os
import signal
import time

import pytest

from docfleet.core.names import WorkerType
from docfleet.core.presence import MISSED_BEATS
from tests.acceptance.fleet import Stage
from tests.faults.fault_run import FaultRun
from tests.faults.world import World
from tests.waiting import until

BEAT_SECONDS = 0.5
SETTINGS = {"LEASE_SECONDS": "3600", "WORKER_BEAT_SECONDS": str(BEAT_SECONDS)}
SILENCE_SECONDS = 2 * MISSED_BEATS * BEAT_SECONDS
FILES = {f"{number:02}.txt": f"document {number}" for number in range(8)}
COMPLETED = dict.fromkeys(FILES, "COMPLETED")
WORKER = WorkerType.FILE_PROCESSING.value


def waiting_run(world: World) -> tuple[FaultRun, Stage]:
    """A run of which a worker holds files."""
    stage = Stage(world.folder / f"stage-{len(world.runs)}")
    run = world.begin({**FILES, "slow.txt": "wait"}, tool=stage.tool)
    stage.await_starts(1)
    return run, stage


@pytest.mark.short
def test_a_whole_worker_is_killed_and_started_again(world: World) -> None:
    world.arm("delivery.written=kill_group@3")
    run = world.begin(FILES)
    world.await_met("delivery.written")
    run.check(COMPLETED)


def test_a_worker_s_main_process_is_killed_alone(world: World) -> None:
    run, stage = waiting_run(world)
    os.kill(world.members[WORKER].pid, signal.SIGKILL)
    stage.open()
    run.check({**COMPLETED, "slow.txt": "COMPLETED"})


def test_a_worker_never_comes_back_and_another_takes_over(world: World) -> None:
    run, stage = waiting_run(world)
    world.rest(WORKER)
    stage.open()
    other = world.add_worker(WorkerType.FILE_PROCESSING)
    run.check({**COMPLETED, "slow.txt": "COMPLETED"})
    world.remove(other.process.name)


def test_a_machine_is_lost_and_comes_back_late(world: World) -> None:
    """Nobody sees its processes end: only its beats are missing. What it does when it goes on has no effect."""
    run, stage = waiting_run(world)
    lost = world.members[WORKER].process
    lost.signal(signal.SIGSTOP)
    other = world.add_worker(WorkerType.FILE_PROCESSING)
    stage.open()
    run.check({**COMPLETED, "slow.txt": "COMPLETED"})
    assert run.file("slow.txt")["attempt"] == 2 and run.file("slow.txt")["losses"] == 1
    lost.signal(signal.SIGCONT)
    world.remove(other.process.name)
    world.run(FILES).check(COMPLETED)
    run.check_again()


def test_the_broker_is_away_for_longer_than_a_worker_may_be_silent(world: World) -> None:
    run, stage = waiting_run(world)
    held = {row["file_name"] for row in run.files() if row["owner"]}
    world.broker.kill()
    time.sleep(SILENCE_SECONDS)
    stage.open()
    world.broker.start()
    run.check({**COMPLETED, "slow.txt": "COMPLETED"})
    assert {row["attempt"] for row in run.files() if row["file_name"] in held} == {1}, "a living worker lost files"


def test_an_event_loop_stands_still_for_longer_than_a_worker_may_be_silent(world: World) -> None:
    run, stage = waiting_run(world)
    held = {row["file_name"] for row in run.files() if row["owner"]}
    parent = world.members[WORKER].pid
    os.kill(parent, signal.SIGSTOP)
    time.sleep(SILENCE_SECONDS)
    os.kill(parent, signal.SIGCONT)
    stage.open()
    run.check({**COMPLETED, "slow.txt": "COMPLETED"})
    assert {row["attempt"] for row in run.files() if row["file_name"] in held} == {1}, "a living worker lost files"


def test_the_backend_is_away_for_longer_than_a_worker_may_be_silent(world: World) -> None:
    run, stage = waiting_run(world)
    held = {row["file_name"] for row in run.files() if row["owner"]}
    world.rest("backend")
    time.sleep(SILENCE_SECONDS)
    world.wake("backend")
    stage.open()
    run.check({**COMPLETED, "slow.txt": "COMPLETED"})
    assert {row["attempt"] for row in run.files() if row["file_name"] in held} == {1}, "a living worker lost files"


@pytest.mark.short
def test_a_fleet_without_a_worker_type_says_so_from_its_stop_on(world: World) -> None:
    def missing(run: FaultRun) -> list[str]:
        return [each.type.value for each in world.client.execution(run.id).missing_workers]

    world.rest(WORKER, seconds=40)
    run = world.begin(FILES)
    assert missing(run) == [WORKER]
    world.wake(WORKER)
    until(lambda: missing(run) == [], 20)
    run.check(COMPLETED)
