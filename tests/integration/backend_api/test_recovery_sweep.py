"""The sweep under a backlog, after its leader was paused, and what it cleans up and counts."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from docfleet.backend import housekeeping
from docfleet.backend.executions import sweep as sweeping
from docfleet.backend.executions.sweep import Sweep
from docfleet.core.names import QueueName

SWEEP = "/internal/v1/sweep/"


def sweep(api: Any) -> dict[str, int]:
    api.recorder.sent.clear()
    return dict(api.post(SWEEP))


def metric(api: Any, name: str) -> float:
    text = api.client.get("/metrics", headers={"Authorization": api.last.request.headers["authorization"]}).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


def age(api: Any, seconds: float) -> None:
    api.write(
        "UPDATE executions SET created_at = created_at - :s, progress_at = progress_at - :s, "
        "dispatched_at = dispatched_at - :s, redispatched_at = redispatched_at - :s",
        s=seconds,
    )


def test_five_hundred_queued_executions_are_neither_copied_nor_failed(fresh_api: Any) -> None:
    """Two workers take ten minutes for what lies in the queue: ticks every half a minute send no copy of it."""
    workflow = fresh_api.workflow()
    runs = [fresh_api.run(workflow) for _ in range(500)]
    copies = Counter[str]()
    for tick in range(20):
        fresh_api.recorder.lying = {QueueName.GENERAL.value: 500 - 25 * tick}
        age(fresh_api, 29)
        done = sweep(fresh_api)
        assert done["expired"] == done["poisoned"] == done["finalized"] == 0
        copies.update(args[2] for _, args, _, _ in fresh_api.recorder.sent)
    assert not copies, f"{sum(copies.values())} copies while the queue drained"
    assert {run.status for run in runs[::50]} == {"PENDING"}


def test_a_broker_that_lost_a_whole_queue_gets_it_again(fresh_api: Any) -> None:
    workflow = fresh_api.workflow()
    runs = {fresh_api.run(workflow).id for _ in range(250)}
    age(fresh_api, 61)
    found: set[str] = set()
    for _ in range(2):
        sweep(fresh_api)
        found |= {args[2] for _, args, _, _ in fresh_api.recorder.sent}
    assert found == runs


def test_what_is_lost_in_a_busy_queue_is_sent_again_in_the_end(fresh_api: Any) -> None:
    run = fresh_api.run()
    fresh_api.recorder.lying = {QueueName.GENERAL.value: 1}
    run.age(599)
    assert sweep(fresh_api)["redispatched_executions"] == 0
    run.age(2)
    assert sweep(fresh_api)["redispatched_executions"] == 1


def lose_orchestration(run: Any) -> None:
    run.age(200)


def lose_batch(run: Any) -> None:
    run.ready(2).age(200)


def lose_file(run: Any) -> None:
    """Handed out again once, by a message that got lost as well."""
    run.ready(1).take(1)
    run.expire_leases()
    assert sweep(run.api)["redispatched_files"] == 1
    run.age(200)


LOSSES = [lose_orchestration, lose_batch, lose_file]


def resent(api: Any) -> int:
    api.recorder.lying = dict.fromkeys((name.value for name in QueueName), 9)
    done = sweep(api)
    return done["redispatched_executions"] + done["redispatched_files"]


@pytest.mark.parametrize("lose", LOSSES)
def test_what_a_busy_queue_has_moved_past_is_sent_again_at_the_deadline(fresh_api: Any, lose: Any) -> None:
    """A later execution has been taken from the queue, long enough ago: what is missed is not in it any more."""
    run, later = fresh_api.run(), fresh_api.run(fresh_api.workflow(name="later"))
    lose(run)
    assert resent(fresh_api) == 0
    later.ready(2).age(1)
    later.take(1)
    assert resent(fresh_api) == 0, "who took this one at that time would not have been heard of yet"
    later.age(61)
    assert resent(fresh_api) == 1
    assert run.id in str(fresh_api.recorder.sent[0])
    assert resent(fresh_api) == 0, "it was sent a moment ago"


@pytest.mark.parametrize("lose", LOSSES[1:])
def test_a_later_execution_whose_batch_nobody_took_shows_nothing(fresh_api: Any, lose: Any) -> None:
    run, later = fresh_api.run(), fresh_api.run(fresh_api.workflow(name="later"))
    lose(run)
    later.ready(2).age(100)
    assert resent(fresh_api) == 0
    later.take(1)
    assert resent(fresh_api) == 1


@pytest.mark.parametrize("lose", LOSSES)
def test_an_earlier_execution_another_organization_and_another_queue_show_nothing(fresh_api: Any, lose: Any) -> None:
    earlier, run = fresh_api.run(fresh_api.workflow(name="earlier")), fresh_api.run()
    other, deployment = fresh_api.other().run(), fresh_api.publish()
    called = deployment.call(("a.txt", b"a"))
    deployment.work(called)
    lose(run)
    for execution, age in ((earlier, 300), (other, 100)):
        execution.ready(2).age(age)
        execution.take(1)
    called.age(100)
    fresh_api.write("UPDATE executions SET progress_at = progress_at + 50 WHERE id = :e", e=called.id)
    assert called.status == "COMPLETED"
    assert resent(fresh_api) == 0


def test_a_queue_of_another_kind_holds_nothing_up(fresh_api: Any) -> None:
    run = fresh_api.run().ready(3)
    fresh_api.recorder.lying = {QueueName.GENERAL.value: 9, QueueName.API_FILE_PROCESSING.value: 9}
    run.age(61)
    assert sweep(fresh_api)["redispatched_executions"] == 1


def test_copies_of_files_handed_out_again_wait_for_the_queue(fresh_api: Any) -> None:
    run = fresh_api.run().ready(2)
    run.take(2)
    run.expire_leases()
    fresh_api.recorder.lying = {QueueName.FILE_PROCESSING.value: 50}
    assert sweep(fresh_api)["redispatched_files"] == 2, "the first time it is certain that nobody has them"
    sent = 0
    for _ in range(19):
        run.age(30)
        sent += sweep(fresh_api)["redispatched_files"]
    assert sent == 0
    run.age(60)
    assert sweep(fresh_api)["redispatched_files"] == 2


def test_what_is_lost_a_second_time_is_handed_out_at_once_whatever_waits(fresh_api: Any) -> None:
    """Somebody claimed it after it was sent again: that message cannot be in the queue any more."""
    run = fresh_api.run().ready(1)
    fresh_api.recorder.lying = {QueueName.FILE_PROCESSING.value: 50}
    for _ in range(3):
        run.take(1)
        run.expire_leases()
        assert sweep(fresh_api)["redispatched_files"] == 1
        assert sweep(fresh_api)["redispatched_files"] == 0


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
    assert second.led
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


def test_files_left_open_by_an_ended_execution_are_closed(fresh_api: Any) -> None:
    run = fresh_api.run().ready(3)
    held = run.take(2)
    fresh_api.write("UPDATE executions SET status = 'ERROR', finished_at = 1 WHERE id = :e", e=run.id)
    sweep(fresh_api)
    assert {item["status"] for item in run.files()} == {"STOPPED"}
    info = run.state()["execution"]
    assert info["successful_files"] + info["failed_files"] + info["stopped_files"] == info["total_files"] == 3
    assert run.report(held)["refused"]


def test_folders_of_ended_executions_go_and_no_others(fresh_api: Any, tmp_path: Path) -> None:
    ended, young, running = fresh_api.run(), fresh_api.run(), fresh_api.run().ready(1)
    for run in (ended, young):
        run.finalize(error="over")
    fresh_api.write("UPDATE executions SET finished_at = finished_at - 60 WHERE id = :e", e=ended.id)
    root = tmp_path / "storage"
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


def test_the_metrics_say_what_was_swept_and_what_waits(fresh_api: Any) -> None:
    assert metric(fresh_api, "docfleet_sweep_last_timestamp_seconds") == 0
    run = fresh_api.run().ready(2)
    run.take(2)
    run.expire_leases()
    run.age(40)
    sweep(fresh_api)
    assert metric(fresh_api, "docfleet_sweep_redispatched_files_total") == 2
    assert metric(fresh_api, "docfleet_sweep_duration_seconds_count") == 1
    assert metric(fresh_api, "docfleet_sweep_duration_seconds_sum") > 0
    assert metric(fresh_api, "docfleet_sweep_last_timestamp_seconds") > 1e9
    assert metric(fresh_api, "docfleet_executions_open") == 1
    assert 40 <= metric(fresh_api, "docfleet_oldest_progress_age_seconds") < 100
    fresh_api.write("UPDATE leases SET until = 99999999999")
    sweep(fresh_api)
    assert metric(fresh_api, "docfleet_sweep_duration_seconds_count") == 1, "it did not lead"


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
    monkeypatch.setattr(housekeeping, "forget_results", broken)
    monkeypatch.setattr(housekeeping, "remove_work", broken)
    monkeypatch.setattr(housekeeping, "forget_ticks", lambda database, days: forgotten.append(days))
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
