"""A file whose tool outlives the grace period of its worker is handed back, and the next worker begins with it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.acceptance.fleet import Fleet, Stage, fill
from tests.waiting import until


def test_a_tool_that_outlives_the_grace_period_is_ended_and_its_file_handed_back(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    run = fleet.begin(fill(tmp_path / "in", {"slow.txt": "wait", "next.txt": "wait"}), stage.tool)
    stage.await_starts(1)
    held = set(stage.started())
    worker = fleet.worker("file_processing")
    begun = fleet.log("file_processing").count("batch.handed_back")
    ready = fleet.log("file_processing").count("worker.ready")
    os.kill(worker, signal.SIGTERM)
    until(lambda: not Path(f"/proc/{worker}").exists(), 25, what="the worker outlived its grace period")
    assert fleet.log("file_processing").count("batch.handed_back") > begun, "the file was left to its lease"
    until(lambda: fleet.log("file_processing").count("worker.ready") > ready, what="no next worker is ready")
    until(lambda: any(stage.started().count(name) == 2 for name in held), what="nobody began with the file again")
    stage.open()
    run.wait()
    assert run.statuses == {"slow.txt": "COMPLETED", "next.txt": "COMPLETED"}
    assert len(run.rows()) == 2
    run.assert_cleaned()
