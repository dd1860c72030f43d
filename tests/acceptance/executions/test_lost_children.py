"""A pool child dies while its worker lives: the parent says so, and only the file it was at is held to account."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.fleet import Fleet, Run, Stage, fill, pool_children
from tests.waiting import until


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Leases that outlast a parent which is slow to tell of a death: after them it is a loss, not a strike. The tools
    of dead children keep their places in the runner: it has more of them."""
    made = Fleet(tmp_path_factory.mktemp("children"), {"LEASE_SECONDS": "60", "RUNNER_CONCURRENCY": "6"})
    yield made
    made.stop()


def counted(run: Run) -> dict[str, tuple[int, int, int]]:
    """Attempts, strikes and losses by path."""
    with closing(sqlite3.connect(run.fleet.data / "docfleet.db")) as database:
        query = "SELECT file_path, attempt, strikes, losses FROM file_executions WHERE execution_id = ?"
        return {
            path: (attempt, strikes, losses) for path, attempt, strikes, losses in database.execute(query, (run.id,))
        }


def kill_children(worker: int) -> None:
    for pid in pool_children(worker):
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(pool_children(worker)) > 0, what="no child was started in its place")


@pytest.mark.slow
def test_a_killed_child_costs_a_strike_for_the_file_it_was_at_and_its_neighbours_nothing(
    fleet: Fleet, tmp_path: Path
) -> None:
    stage = Stage(tmp_path / "stage")
    names = {f"{number:02}.txt": "wait" for number in range(8)}
    run = fleet.begin(fill(tmp_path / "in", dict.fromkeys(names, "wait")), stage.tool)
    stage.await_starts(1)
    at = set(stage.started())
    victims = pool_children(fleet.worker("file_processing"))
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    stage.open()
    run.wait()
    found = counted(run)
    struck = {path for path, (_, strikes, _) in found.items() if strikes}
    assert struck and struck <= set(stage.started()) and at & struck
    assert len(struck) <= len(victims)
    assert {losses for _, _, losses in found.values()} == {0}, "leases ran out although the parent lived"
    assert set(run.statuses.values()) == {"COMPLETED"} and len(run.rows()) == len(names)
    assert "child.lost" in fleet.log("file_processing")
    run.assert_cleaned()


@pytest.mark.slow
def test_a_file_that_kills_its_process_three_times_ends_alone(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    run = fleet.begin(fill(tmp_path / "in", {"killer.txt": "wait"}), stage.tool)
    for number in (1, 2, 3):
        stage.await_starts(number)
        kill_children(fleet.worker("file_processing"))
    run.wait()
    assert run.status == "ERROR" and len(stage.started()) == 3
    assert "gave up after 3 attempts" in (run.files[0].error or "") and run.files[0].error_code == "tool_crashed"
    assert counted(run) == {"killer.txt": (3, 3, 0)}
    stage.open()
    run.assert_cleaned()
