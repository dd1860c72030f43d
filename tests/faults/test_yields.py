"""Workers are killed while their batches yield: nothing is lost and nothing doubled."""

from __future__ import annotations

import pytest

from tests.faults.world import World

SETTINGS = {"QUANTUM_SECONDS": "0.05", "FILE_PROCESSING_CONCURRENCY": "2"}
RUNS = 3
"""One more than slots: somebody always waits."""
FILES = 20


def _check(world: World, point: str) -> None:
    """Runs compete for the slots while ``point`` is armed, and all of them end with all of their files."""
    names = [[f"{run}-{number:02}.txt" for number in range(FILES)] for run in range(RUNS)]
    runs = [world.begin({name: f"document {name}" for name in mine}) for mine in names]
    world.await_met(point)
    for run, mine in zip(runs, names, strict=True):
        run.check(dict.fromkeys(mine, "COMPLETED"))


@pytest.mark.parametrize("how", [pytest.param("kill_group", marks=pytest.mark.short), "kill"])
def test_a_yielding_worker_dies(world: World, how: str) -> None:
    """The files of its batch are released already, and its message is not sent again yet."""
    world.arm(f"batch.send_again={how}@3")
    _check(world, "batch.send_again")


def test_a_worker_dies_with_the_answer_to_yield(world: World) -> None:
    world.arm("report.sent=kill_group@4")
    _check(world, "report.sent")


def test_the_backend_dies_before_a_yield_is_written(world: World) -> None:
    world.arm("report.before_commit=kill@4")
    _check(world, "report.before_commit")
