"""A whole worker, the backend or the runner is killed in the middle; the orchestrator dies while it sends."""

from __future__ import annotations

import pytest

from docfleet.core.names import TaskName, WorkerType
from tests.acceptance.fleet import Stage
from tests.faults.world import BATCHES, World

FILES = {f"{number:02}.txt": f"document {number}" for number in range(8)}
COMPLETED = dict.fromkeys(FILES, "COMPLETED")
WORKER_POINTS = (
    "batch.claim.before",
    "batch.claimed",
    pytest.param("delivery.written", marks=pytest.mark.short),
    "report.sent",
    "batch.returned",
)
ORCHESTRATOR_POINTS = ("orchestrate.listed", "orchestrate.registered", "orchestrate.started", "orchestrate.sent")


@pytest.mark.parametrize("point", WORKER_POINTS)
def test_a_worker_is_lost(world: World, point: str) -> None:
    world.arm(f"{point}=kill_group@1")
    run = world.begin(FILES)
    world.await_met(point)
    run.check(COMPLETED)


def test_a_worker_is_lost_and_another_one_takes_over(world: World) -> None:
    stage = Stage(world.folder / f"stage-{len(world.runs)}")
    run = world.begin({**FILES, "slow.txt": "wait"}, tool=stage.tool)
    stage.await_starts(1)
    world.rest("file_processing")
    stage.open()
    other = world.add_worker(WorkerType.FILE_PROCESSING)
    run.check({**COMPLETED, "slow.txt": "COMPLETED"})
    other.stop()
    del world.members[other.process.name]


@pytest.mark.parametrize("member", ["backend", "runner", "callback"])
def test_a_server_is_lost_while_tools_run(world: World, member: str) -> None:
    stage = Stage(world.folder / f"stage-{len(world.runs)}")
    run = world.begin({**FILES, "slow.txt": "wait"}, tool=stage.tool)
    stage.await_starts(1)
    world.kill(member)
    stage.open()
    run.check({**COMPLETED, "slow.txt": "COMPLETED"})


@pytest.mark.parametrize("point", ["report.before_commit", "finalize.before_commit"])
def test_the_backend_dies_before_it_commits(world: World, point: str) -> None:
    world.arm(f"{point}=kill@1")
    run = world.begin(FILES)
    world.await_met(point)
    run.check(COMPLETED)


@pytest.mark.parametrize("point", ORCHESTRATOR_POINTS)
def test_the_orchestrator_dies(world: World, point: str) -> None:
    world.arm(f"{point}=kill_group@1")
    run = world.begin(FILES)
    world.await_met(point)
    run.check(COMPLETED)


@pytest.mark.parametrize("sent", [0, 1, pytest.param(BATCHES // 2, marks=pytest.mark.short), BATCHES])
def test_the_orchestrator_dies_after_so_many_messages(world: World, sent: int) -> None:
    if sent < BATCHES:
        world.arm(f"message.publish({TaskName.PROCESS_FILE_BATCH.value})=kill_group@{sent + 1}")
        point = "message.publish"
    else:
        world.arm("orchestrate.sent=kill@1")
        point = "orchestrate.sent"
    run = world.begin(FILES)
    world.await_met(point)
    run.check(COMPLETED)
