"""The core of the main job, on the embedded system and on RabbitMQ with PostgreSQL.

Every execution ends, and the destination holds each row once."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.fleet import Fleet, Run, Stage, children, fill, pool_children
from tests.waiting import until

ACTIONS = {"crash.txt": "crash", "leave.txt": "leave", "empty.txt": ""}
TWENTY = {f"{folder}{number:02}.txt": f"document {number}" for folder in ("", "sub/") for number in range(9)}
DELIVERED_THEN_WAITING = {f"{number:02}.txt": "short" if number < 4 else "wait" for number in range(12)}
"""The first are delivered and not yet reported while the next ones wait: whoever dies then leaves both behind."""


def assert_each_row_once(run: Run, names: set[str]) -> None:
    """The destination holds every document exactly once, and the counts say the same."""
    assert Counter(row["file_path"] for row in run.rows()) == Counter(names)
    assert {row["status"] for row in run.rows()} == {"SUCCESS"}
    assert run.status == "COMPLETED"
    assert set(run.statuses.values()) == {"COMPLETED"}, [file.error for file in run.files]
    assert run.json()["successful_files"] == run.json()["total_files"] == len(names)
    run.assert_cleaned()


def test_a_run_with_failures_and_the_same_folder_again(each_fleet: Fleet, tmp_path: Path) -> None:
    source = fill(tmp_path / "in", {**TWENTY, **ACTIONS})
    run = each_fleet.run(source, "actor", "passthrough")
    assert run.statuses == {**dict.fromkeys(TWENTY, "COMPLETED"), **dict.fromkeys(ACTIONS, "ERROR")}
    assert run.status == "COMPLETED"
    assert (run.state.execution.successful_files, run.state.execution.failed_files) == (18, 3)
    assert Counter(row["status"] for row in run.rows()) == {"SUCCESS": 18, "ERROR": 3}
    again = each_fleet.run(source, "actor", "passthrough", name=run.workflow.name)
    assert again.state.skipped == {"already_processed": 18}
    assert again.statuses == dict.fromkeys(ACTIONS, "ERROR")
    assert (again.status, again.result.exit_code) == ("ERROR", 1)


def test_the_callback_finalizes_long_before_a_sweep_would(each_fleet: Fleet, tmp_path: Path) -> None:
    run = each_fleet.run(fill(tmp_path / "in", TWENTY))
    assert_each_row_once(run, set(TWENTY))
    until(
        lambda: (
            f"execution_id={run.id}"
            in "".join(line for line in each_fleet.log("callback").splitlines() if "execution.finalize" in line)
        ),
        what="the chord's callback never ran",
    )


@pytest.mark.slow
def test_kill_9_of_a_pool_child_in_the_middle_of_a_file(each_fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    run = each_fleet.begin(fill(tmp_path / "in", DELIVERED_THEN_WAITING), stage.tool)
    stage.await_starts(2 if (os.cpu_count() or 1) > 1 else 1)
    worker = each_fleet.worker("file_processing")
    victim = pool_children(worker)[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in children(worker), what="the child lives")
    stage.open()
    run.wait()
    assert each_fleet.worker("file_processing") == worker
    assert_each_row_once(run, set(DELIVERED_THEN_WAITING))
    assert max(file.attempt for file in run.files) > 1, "no file was handed out again: the test did not hit one"


@pytest.mark.slow
def test_kill_9_of_the_worker_in_the_middle_of_files(each_fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    run = each_fleet.begin(fill(tmp_path / "in", DELIVERED_THEN_WAITING), stage.tool)
    stage.await_starts(1)
    worker = each_fleet.worker("file_processing")
    os.kill(worker, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{worker}").exists(), what="the worker lives")
    stage.open()
    run.wait()
    assert_each_row_once(run, set(DELIVERED_THEN_WAITING))
    assert max(file.attempt for file in run.files) > 1, "no file was handed out again: the test did not hit one"


@pytest.mark.slow
def test_kill_9_of_the_worker_that_lists_the_source(each_fleet: Fleet, tmp_path: Path) -> None:
    names = {f"{number:04}.txt" for number in range(520)}
    run = each_fleet.begin(fill(tmp_path / "in", dict.fromkeys(names, "short")), connector="paused")
    until((tmp_path / "listing").exists, what="the listing did not begin")
    os.kill(each_fleet.worker("general"), signal.SIGKILL)
    (tmp_path / "open").touch()
    run.wait()
    assert_each_row_once(run, names)


@pytest.mark.slow
def test_kill_9_of_the_worker_that_finalizes(each_fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    names = {f"{number:02}.txt" for number in range(4)}
    run = each_fleet.begin(fill(tmp_path / "in", dict.fromkeys(names, "wait")), stage.tool)
    stage.await_starts(1)
    os.kill(each_fleet.worker("callback"), signal.SIGKILL)
    stage.open()
    run.wait()
    assert_each_row_once(run, names)


def test_queues_results_and_rows_are_in_the_services(
    service_fleet: Fleet, service_databases: tuple[str, str], tmp_path: Path
) -> None:
    source = fill(tmp_path / "in", {f"{number}.txt": "document" for number in range(10)})
    run = service_fleet.run(source)
    assert run.json()["successful_files"] == 10, run.error
    backend, results = (url.replace("+psycopg", "") for url in service_databases)
    with psycopg.connect(backend) as database:
        found = database.execute("SELECT count(*) FROM file_executions WHERE execution_id = %s", (run.id,)).fetchone()
        assert found == (10,)
    with psycopg.connect(results) as database:
        query = "SELECT count(*) FROM celery_taskmeta WHERE status = 'SUCCESS'"
        until(lambda: database.execute(query).fetchone() != (0,), what="no result was stored in PostgreSQL")
    assert not (service_fleet.data / "docfleet.db").exists()


def test_results_go_to_a_postgresql_table(service_fleet: Fleet, postgres_url: str, tmp_path: Path) -> None:
    source = fill(tmp_path / "in", {"a.txt": "first", "b 'quoted' ü.txt": "second", "bad.txt": "crash"})
    table = f"acceptance_{service_fleet.process.pid}"
    into = {
        "connector": "postgresql",
        "settings": {"connection_url": postgres_url},
        "table": table,
        "columnMode": "SPLIT_JSON_INTO_COLUMNS",
    }
    run = service_fleet.run(source, destination=into)
    assert (run.json()["successful_files"], run.json()["failed_files"]) == (2, 1)
    with psycopg.connect(postgres_url) as database:
        rows = database.execute(f"SELECT file_path, status, text FROM {table} ORDER BY file_path").fetchall()
        database.execute(f"DROP TABLE {table}")
    assert rows == [
        ("a.txt", "SUCCESS", "first"),
        ("b 'quoted' ü.txt", "SUCCESS", "second"),
        ("bad.txt", "ERROR", None),
    ]
