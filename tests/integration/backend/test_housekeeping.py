"""The chores of the sweep: one leader at a time, folders and executions that are removed, chores that fail."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from sqlalchemy import text

from docfleet.backend import housekeeping
from docfleet.backend.executions import sweep as sweeping
from docfleet.backend.executions.sweep import Sweep
from tests.integration.backend.sweeps import SWEEP, sweep


def test_a_paused_leader_acts_on_what_is_true_when_it_wakes(fresh_api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has seen an execution that no worker has begun for a day; while it was paused a worker did."""
    run = fresh_api.run()
    run.age(86_500)
    settings = fresh_api.client.app.dependencies["settings"].dependency()
    leader = Sweep(fresh_api.database, fresh_api.recorder, settings)
    paused, go_on = threading.Event(), threading.Event()
    before = leader._handle_locked

    def one(*found: Any) -> None:
        paused.set()
        assert go_on.wait(10)
        before(*found)

    monkeypatch.setattr(leader, "_handle_locked", one)
    thread = threading.Thread(target=leader.run)
    thread.start()
    assert paused.wait(10)
    run.ready(1)
    fresh_api.write("UPDATE leases SET until = 1")
    second = Sweep(fresh_api.database, fresh_api.recorder, settings)
    second.run()
    assert second.is_leader
    go_on.set()
    thread.join()
    assert run.status == "EXECUTING"
    assert run.report(run.take(1))["written"] == 1 and run.status == "COMPLETED"


def test_the_lease_of_a_dead_leader_runs_out(fresh_api: Any) -> None:
    run = fresh_api.run()
    run.age(61)
    fresh_api.write("INSERT INTO leases (name, owner, until) VALUES ('sweep', 'dead', 99999999999)")
    assert sweep(fresh_api)["redispatched_executions"] == 0
    fresh_api.write("UPDATE leases SET until = until - 99999999999 + 1")
    assert sweep(fresh_api)["redispatched_executions"] == 1
    assert sweeping.LEASE_SECONDS <= 10


def test_a_leader_that_lives_stays_leader(fresh_api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many executions it has to look at."""
    for _ in range(3):
        fresh_api.run().age(61)
    settings = fresh_api.client.app.dependencies["settings"].dependency()
    leader = Sweep(fresh_api.database, fresh_api.recorder, settings)
    before, left = leader._handle_locked, []

    def one(*found: Any) -> None:
        with fresh_api.database.reading() as connection:
            left.append(connection.scalar(text("SELECT until FROM leases")) - time.time())
        before(*found)
        leader._renewed -= 0.9 * sweeping.LEASE_SECONDS
        fresh_api.write("UPDATE leases SET until = until - :s", s=0.9 * sweeping.LEASE_SECONDS)

    monkeypatch.setattr(leader, "_handle_locked", one)
    leader.run()
    assert len(left) == 3 and min(left) > 0.8 * sweeping.LEASE_SECONDS


def test_folders_of_ended_executions_go_and_no_others(fresh_api: Any) -> None:
    ended, young, running = fresh_api.run(), fresh_api.run(), fresh_api.run().ready(1)
    for run in (ended, young):
        run.finalize(error="over")
    fresh_api.write("UPDATE executions SET finished_at = finished_at - 60 WHERE id = :e", e=ended.id)
    root = fresh_api.folder / "storage"
    workflow = running.state()["execution"]["workflow_id"]
    folders = {run.id: root / fresh_api.organization / workflow / run.id for run in (ended, young, running)}
    elsewhere = root / "steps" / fresh_api.organization / ended.id
    for folder in (*folders.values(), elsewhere):
        (folder / "file.1").mkdir(parents=True)
        (folder / "file.1" / "SOURCE").write_bytes(b"x")
    sweep(fresh_api)
    assert not folders[ended.id].exists()
    assert folders[young.id].exists() and folders[running.id].exists() and elsewhere.exists()


def test_ended_executions_are_forgotten_after_the_retention(limited_api: Any) -> None:
    api = limited_api(execution_retention_days=7.0)
    old, recent, running = api.run(), api.run(), api.run()
    old.register(api.documents(2))
    for run in (old, recent):
        run.finalize(error="over")
    api.write("UPDATE executions SET finished_at = finished_at - 8 * 86400 WHERE id = :e", e=old.id)
    api.write("UPDATE executions SET finished_at = finished_at - 6 * 86400 WHERE id = :e", e=recent.id)
    sweep(api)
    api.get(f"/api/v1/executions/{old.id}", status=404)
    assert recent.status == "ERROR" and running.status == "PENDING"
    with api.database.reading() as connection:
        left = connection.exec_driver_sql(f"SELECT count(*) FROM file_executions WHERE execution_id = '{old.id}'")
        assert left.scalar() == 0


def test_they_are_kept_for_ever_by_default(fresh_api: Any) -> None:
    run = fresh_api.run()
    run.finalize(error="over")
    fresh_api.write("UPDATE executions SET finished_at = 1")
    sweep(fresh_api)
    assert run.status == "ERROR"


def test_a_chore_that_fails_keeps_nothing_else_from_being_done(fresh_api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was lost is sent again, and the next chores have their turn."""
    lost, done = fresh_api.run().ready(1), fresh_api.run()
    lost.take(1)
    lost.expire_leases()
    done.register([])
    done.finalize(empty_reason="no_match")
    fresh_api.write("UPDATE executions SET finished_at = finished_at - 100 WHERE id = :id", id=done.id)
    workflow_id = done.state()["execution"]["workflow_id"]
    stuck = fresh_api.folder / "storage" / fresh_api.organization / workflow_id / done.id / "x"
    stuck.mkdir(parents=True)

    def broken(*_: Any) -> None:
        raise PermissionError(13, "not permitted")

    forgotten: list[float] = []
    monkeypatch.setattr(housekeeping, "delete_results", broken)
    monkeypatch.setattr(housekeeping, "remove_work", broken)
    monkeypatch.setattr(housekeeping, "delete_ticks", lambda database, days: forgotten.append(days))
    sweep(fresh_api)
    assert [task for task, *_ in fresh_api.recorder.sent] == ["process_file_batch"]
    assert forgotten
    monkeypatch.undo()
    sweep(fresh_api)
    assert not stuck.exists()


def test_a_sweep_that_breaks_sends_what_it_has_found(fresh_api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows say that it is on its way."""
    run = fresh_api.run().ready(1)
    run.take(1)
    run.expire_leases()

    def broken(*_: Any) -> None:
        raise RuntimeError("the statement took too long")

    monkeypatch.setattr(sweeping, "point", broken)  # right behind the step
    fresh_api.recorder.sent.clear()
    fresh_api.post(SWEEP, status=500)
    assert [task for task, *_ in fresh_api.recorder.sent] == ["process_file_batch"]
