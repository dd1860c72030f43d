"""A pool child is killed at each point of its work; a file that kills its process each time."""

from __future__ import annotations

import pytest

from docfleet.core.names import WorkerType
from tests.acceptance.fleet import Stage
from tests.faults.fault_run import DEADLINE_SECONDS, PATIENCE_SECONDS
from tests.faults.world import World

FILES = {f"{number:02}.txt": f"document {number}" for number in range(8)}
COMPLETED = dict.fromkeys(FILES, "COMPLETED")
ATTEMPTS = 3
"""MAX_FILE_ATTEMPTS, its default."""
POINTS = (
    "batch.claim.before",
    "batch.claimed",
    "file.fetched",
    "tool.before",
    pytest.param("tool.done", marks=pytest.mark.short),
    "delivery.before",
    pytest.param("delivery.written", marks=pytest.mark.short),
    "report.before",
    "report.sent",
    "batch.returned",
)


@pytest.mark.parametrize("point", POINTS)
def test_a_child_dies(world: World, point: str) -> None:
    world.arm(f"{point}=kill@1")
    run = world.begin(FILES)
    world.await_met(point)
    run.check(COMPLETED)


@pytest.mark.parametrize("destination", ["postgres", "files", "api"])
def test_a_child_dies_between_delivery_and_report(world: World, destination: str) -> None:
    world.arm("delivery.written=kill@3")
    run = world.begin(FILES, destination=destination)
    world.await_met("delivery.written")
    run.check(COMPLETED)


def test_a_child_dies_while_the_tool_runs(world: World) -> None:
    stage = Stage(world.folder / f"stage-{len(world.runs)}")
    run = world.begin({**FILES, "slow.txt": "wait"}, tool=stage.tool)
    stage.await_starts(1)
    for pid in world.members["file_processing"].children():
        world.kill_process(pid)
    stage.open()
    run.check({**COMPLETED, "slow.txt": "COMPLETED"})


@pytest.mark.short
def test_a_file_that_kills_its_process_ends_alone(world: World) -> None:
    """Its neighbours are delivered, and none of them is blamed, though its process held several of them each time."""
    poison = "00-poison.txt"
    neighbours = {f"{number:02}.txt": f"document {number}" for number in range(1, 48)}
    world.arm(f"tool.before({poison})=kill")
    run = world.begin({**neighbours, poison: "poison"})
    expected = {**dict.fromkeys(neighbours, "COMPLETED"), poison: "ERROR"}
    run.check(expected, wait=ATTEMPTS * DEADLINE_SECONDS + 2 * PATIENCE_SECONDS)
    # A death that the parent could not tell of before the lease ran out is a loss, and the file has another try.
    assert ATTEMPTS <= len(world.met("tool.before")) <= ATTEMPTS + run.file(poison)["losses"]
    assert run.file(poison)["strikes"] == ATTEMPTS
    assert {row["strikes"] for row in run.files() if row["file_name"] != poison} == {0}
    assert max(row["attempt"] for row in run.files() if row["file_name"] != poison) > 1, "no neighbour was held"
    assert "process" in run.file(poison)["error"]


def test_only_poison(world: World) -> None:
    world.arm("tool.before=kill")
    run = world.begin({"a.txt": "poison", "b.txt": "poison"})
    run.check(dict.fromkeys(("a.txt", "b.txt"), "ERROR"), wait=2 * ATTEMPTS * DEADLINE_SECONDS + PATIENCE_SECONDS)
    assert len(world.met("tool.before")) == 2 * ATTEMPTS


def test_a_lost_worker_is_not_the_files_fault(world: World) -> None:
    """More whole workers are lost over a file than processes it may kill."""
    world.arm(f"tool.before(unlucky.txt)=kill_group@1-{ATTEMPTS + 1}")
    run = world.begin({**FILES, "unlucky.txt": "innocent"})
    run.check(
        {**COMPLETED, "unlucky.txt": "COMPLETED"}, wait=(ATTEMPTS + 1) * (DEADLINE_SECONDS + 10) + PATIENCE_SECONDS
    )
    assert len(world.met("tool.before")) == ATTEMPTS + 1
    assert run.file("unlucky.txt")["strikes"] == 0
    assert world.members[WorkerType.FILE_PROCESSING.value].process.starts > ATTEMPTS
