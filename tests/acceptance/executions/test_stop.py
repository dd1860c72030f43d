"""A stop against running processes: tools killed, nothing delivered after the answer, dead workers waited for."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from docfleet.core.management.executions import StopResult
from tests.acceptance.fleet import DOCFLEET, TABLE, Fleet, Run, Stage, fill, plain_environment
from tests.waiting import until

FILES = {f"{number:02}.txt": "wait here" for number in range(12)}


def test_stop_in_the_middle_ends_it_at_once_and_for_good(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    source = fill(tmp_path / "in", FILES)
    run = fleet.begin(source, stage.tool)
    stage.await_starts(1)
    fleet.client.stop_execution(run.id)
    run.wait()
    assert run.status == "STOPPED"
    counts = run.state.counts
    assert counts.get("STOPPED", 0) == 12
    pids = [int(path.name.split(".")[1]) for path in stage.folder.glob("*.started")]
    until(lambda: not any(_alive(pid) for pid in pids), what="the stopped tool runs on")
    # Not the tool's own time limit: the worker was told and had the tool killed.
    until(lambda: _abandoned(fleet, run.id), what="the worker did not hear of the stop")
    stage.open()
    assert len(stage.started()) <= 4, "files were begun after the stop"
    again = fleet.run(source, stage.tool, name=run.workflow.name)
    assert again.json()["successful_files"] == 12
    assert run.status == "STOPPED", "a late report changed it"
    assert run.rows() == []
    run.assert_cleaned()


def _abandoned(fleet: Fleet, execution_id: str) -> bool:
    lines = fleet.log("file_processing").splitlines()
    return any("file.abandoned" in line and execution_id in line and "tool_stopped" in line for line in lines)


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


QUICK_SECONDS = 3.0
"""Less than what it takes without the broadcast (a third of a minute) or without the kill (five seconds, the tool
client's wait)."""
TRIES = 3
"""A stall of the machine makes one stop slow; a missing guard makes each one slow."""


@pytest.fixture(params=["redis", "rabbitmq"])
def patient_fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Long leases: a worker that is not told of a stop learns of it only after twenty seconds."""
    settings = {"LEASE_SECONDS": "60", "TOOL_TIMEOUT_SECONDS": "60"}
    if request.param == "rabbitmq":
        settings["CELERY_BROKER_BASE_URL"] = request.getfixturevalue("rabbitmq_url")
    fleet = Fleet(tmp_path_factory.mktemp("patient"), settings)
    yield fleet
    fleet.stop()


def test_running_tools_die_and_queued_files_end_while_the_caller_waits(patient_fleet: Fleet, tmp_path: Path) -> None:
    took: list[float] = []
    while True:
        stage = Stage(tmp_path / f"stage-{len(took)}")
        source = fill(tmp_path / f"in-{len(took)}", {f"{number:03}.txt": "wait here" for number in range(60)})
        run = patient_fleet.begin(source, stage.tool)
        stage.await_starts(2)
        pids = [int(path.name.split(".")[1]) for path in stage.folder.glob("*.started")]
        began = time.monotonic()
        stop = patient_fleet.client.stop_execution(run.id, wait=10)
        took.append(time.monotonic() - began)
        if took[-1] < QUICK_SECONDS:
            break
        assert len(took) < TRIES, f"the stops took {took} s: who told the workers?"
        stage.open()
        run.wait()
    assert (stop.outcome, stop.execution.status, stop.stopping) == ("stopped", "STOPPED", False)
    assert stop.counts["STOPPED"] == 60
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), what="a stopped tool runs on")
    stage.open()
    assert delivered(run) == set() and len(stage.started()) <= 4
    run.assert_cleaned()
    again = patient_fleet.run(fill(tmp_path / "after", {"a.txt": "document"}))
    assert again.status == "COMPLETED", "the slots are not free"


def stopped(fleet: Fleet, execution_id: str) -> StopResult:
    """The answer to a stop that is repeated until it is no longer under way."""

    def answer() -> StopResult | None:
        stop = fleet.client.stop_execution(execution_id, wait=10)
        return None if stop.stopping else stop

    found: StopResult = until(answer, what="the stop stays under way")
    return found


def delivered(run: Run) -> set[str]:
    """Paths of the files that are in the destination; the first delivery makes its table."""
    path = run.workflow.destination["settings"]["path"]
    if not Path(path).exists():
        return set()
    with closing(sqlite3.connect(path)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (TABLE,)).fetchone():
            return set()
    return {row["file_path"] for row in run.rows()}


def locked(path: str) -> sqlite3.Connection:
    """The destination, held by somebody else: whoever delivers into it waits."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def prepared(fleet: Fleet, tmp_path: Path) -> tuple[Run, str]:
    """A run whose table exists, in a file that can be locked."""
    run = fleet.run(fill(tmp_path / "in", {"first.txt": "document"}))
    return run, str(run.workflow.destination["settings"]["path"])


def test_a_delivery_that_has_started_is_waited_for_and_counts(fleet: Fleet, tmp_path: Path) -> None:
    first, path = prepared(fleet, tmp_path)
    with closing(locked(path)) as holder:
        run = fleet.begin(fill(tmp_path / "in", {"second.txt": "document"}), name=first.workflow.name)
        until(lambda: run.state.counts.get("EXECUTING") == 1)
        until(lambda: _waits_for(path, fleet), what="no delivery waits for the lock")
        answer = fleet.client.stop_execution(run.id, wait=1)
        assert answer.outcome == "stopping" and answer.stopping, "acknowledged while a delivery was under way"
        answers: list[Any] = []
        waiter = threading.Thread(target=lambda: answers.append(stopped(fleet, run.id)))
        waiter.start()
        holder.execute("ROLLBACK")
        waiter.join()
    assert [stop.execution.status for stop in answers] == ["STOPPED"]
    assert [file.status for file in run.files] == ["COMPLETED"]
    assert [row["file_path"] for row in run.rows()] == ["second.txt"]


def _waits_for(path: str, fleet: Fleet) -> bool:
    """Whether a child of the worker has the destination open."""
    worker = fleet.worker("file_processing")
    for child in Path(f"/proc/{worker}/task/{worker}/children").read_text().split():
        for handle in Path(f"/proc/{child}/fd").iterdir():
            try:
                if os.readlink(handle) == path:
                    return True
            except OSError:
                continue
    return False


def test_nothing_is_delivered_after_the_answer(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    run = fleet.begin(fill(tmp_path / "in", {f"{n}.txt": "wait here" for n in range(8)}), stage.tool)
    stage.await_starts(1)
    stage.open()  # deliveries begin, in a race with the stop
    stop = stopped(fleet, run.id)
    assert stop.execution.status in ("STOPPED", "COMPLETED")
    completed = {file.path for file in run.files if file.status == "COMPLETED"}
    at_once = delivered(run)
    assert at_once == completed, "a row without a COMPLETED file, or the other way round"
    time.sleep(2)
    assert delivered(run) == at_once


def test_a_killed_worker_is_waited_for_until_its_lease_runs_out(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    run = fleet.begin(fill(tmp_path / "in", {"a.txt": "wait here", "b.txt": "wait here"}), stage.tool)
    stage.await_starts(1)
    worker = fleet.worker("file_processing")
    os.killpg(worker, signal.SIGKILL)
    stop = fleet.client.stop_execution(run.id, wait=0)
    assert stop.outcome == "stopping"
    run.wait()
    assert run.status == "STOPPED"
    assert {file.status for file in run.files} == {"STOPPED"}
    stage.open()
    until(lambda: fleet.worker("file_processing") != worker)
    run.assert_cleaned()


def test_a_stop_while_the_source_is_listed_lets_nothing_begin(fleet: Fleet, tmp_path: Path) -> None:
    source = fill(tmp_path / "in", {f"{n:04}.txt": "document" for n in range(600)})
    run = fleet.begin(source, connector="paused")
    until(lambda: (tmp_path / "listing").exists(), what="the listing did not begin")
    stop = fleet.client.stop_execution(run.id)
    assert (stop.outcome, stop.counts.get("STOPPED")) == ("stopped", 500), "the first page is registered"
    (tmp_path / "open").touch()
    until(lambda: _is_refused(fleet, run.id), what="the orchestrator was not told")
    assert run.state.counts["STOPPED"] == 500 and delivered(run) == set()


def _is_refused(fleet: Fleet, execution_id: str) -> bool:
    """Whether the orchestration ended without a batch."""
    lines = fleet.log("general").splitlines()
    return any(execution_id in line and "async_execute_bin" in line and "skipped" in line for line in lines)


def test_the_command_stops_and_says_what_became_of_it(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    run = fleet.begin(fill(tmp_path / "in", {f"{n}.txt": "wait here" for n in range(5)}), stage.tool)
    stage.await_starts(1)
    found = _docfleet(fleet, "stop", run.id)
    assert (found.returncode, found.stdout) == (0, "stopped: 5 STOPPED\n"), found.stderr
    again = _docfleet(fleet, "stop", run.id, "--json")
    assert again.returncode == 0 and json.loads(again.stdout)["outcome"] == "already_ended"
    assert "had ended before (STOPPED)" in _docfleet(fleet, "stop", run.id).stdout
    unknown = _docfleet(fleet, "stop", "00000000-0000-4000-8000-000000000000")
    assert unknown.returncode == 1 and "there is no execution" in unknown.stderr


def _docfleet(fleet: Fleet, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DOCFLEET, "executions", *arguments, "--data", str(fleet.data)],
        env=plain_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
