"""SIGTERM, as a deployment sends it: a worker finishes the files it is at and hands on the rest, a runner that is
replaced costs no file anything."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.fleet import Fleet, Stage, fill
from tests.waiting import until

FILES = {f"{number:02}.txt": "wait" for number in range(40)}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A slow machine neither uses up the grace period nor a lease."""
    made = Fleet(tmp_path_factory.mktemp("shutdown"), {"WORKER_GRACE_SECONDS": "60", "LEASE_SECONDS": "60"})
    yield made
    made.stop()


def test_sigterm_in_the_middle_of_a_batch_costs_no_file_its_attempt(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    run = fleet.begin(fill(tmp_path / "in", FILES), stage.tool)
    stage.await_starts(1)
    worker = fleet.worker("file_processing")
    begun = fleet.log("file_processing").count("batch.handed_back")
    os.kill(worker, signal.SIGTERM)
    # Only now may the files end.
    until(lambda: not _pending(worker), what="the signal was not taken")
    stage.open()
    until(lambda: not Path(f"/proc/{worker}").exists(), 50, what="the worker goes on with its batch")
    assert fleet.log("file_processing").count("batch.handed_back") > begun
    run.wait()
    assert run.statuses == dict.fromkeys(FILES, "COMPLETED")
    assert sorted(stage.started()) == sorted(FILES), "a file was begun twice"
    assert len(run.rows()) == len(FILES)
    run.assert_cleaned()


def test_sigterm_of_the_runner_in_the_middle_of_files_costs_none_an_error(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    run = fleet.begin(fill(tmp_path / "in", dict.fromkeys(list(FILES)[:6], "wait")), stage.tool)
    stage.await_starts(1)
    runner = fleet.service("runner")
    os.kill(runner, signal.SIGTERM)
    until(lambda: not Path(f"/proc/{runner}").exists(), 50, what="the runner lives")
    stage.open()
    run.wait()
    assert set(run.statuses.values()) == {"COMPLETED"}, [file.error for file in run.files]
    assert len(run.rows()) == 6


def _pending(pid: int) -> int:
    """Signals sent to the process and not yet delivered, as a mask."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("ShdPnd"))
