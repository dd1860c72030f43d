"""What a worker gives back, and why: nothing is lost, and what never ends is reported."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.backend.presence.announced import announce

SWEEP = "/internal/v1/sweep/"
FULL = {"cause": "storage_full", "detail": "no space left on /data"}


def release(claim: Any, **more: Any) -> dict[str, Any]:
    return {"file_execution_id": claim["file_execution_id"], "attempt": claim["attempt"], **more}


def column(api: Any, run: Any, name: str) -> list[Any]:
    with api.database.reading() as connection:
        statement = f"SELECT {name} FROM file_executions WHERE execution_id = '{run.id}' ORDER BY file_number"
        return [row[0] for row in connection.exec_driver_sql(statement)]


def let_pass(api: Any, run: Any) -> None:
    """The time until which files are not handed out passes."""
    api.write("UPDATE file_executions SET not_before = 1 WHERE execution_id = :e AND not_before > 1", e=run.id)


def test_a_file_whose_machine_is_in_trouble_is_handed_out_again_only_after_a_wait(fresh_api: Any) -> None:
    run = fresh_api.run().ready(2)
    held = run.take(2)
    run.report(release=[release(claim, wait=FULL) for claim in held])
    assert "claims" not in run.claim(owner="next"), "it is handed out before its time"
    fresh_api.post(SWEEP)
    assert not [sent for sent in fresh_api.recorder.sent if sent[0] == "process_file_batch"]
    let_pass(fresh_api, run)
    fresh_api.post(SWEEP)
    named = [args[0]["files"] for task, args, *_ in fresh_api.recorder.sent if task == "process_file_batch"]
    assert len(named) == 1 and len(named[0]) == 2
    again = run.take(2, owner="next")
    assert [claim["attempt"] for claim in again] == [2, 2]
    assert column(fresh_api, run, "losses") == column(fresh_api, run, "strikes") == [0, 0]


def test_the_waits_for_a_machine_double_up_to_a_minute(fresh_api: Any) -> None:
    run = fresh_api.run().ready(1)
    waits = []
    for _ in range(8):
        run.report(release=[release(run.take(1)[0], wait=FULL)])
        with fresh_api.database.reading() as connection:
            waiting = connection.exec_driver_sql(
                f"SELECT not_before - modified_at FROM file_executions WHERE execution_id = '{run.id}'"
            ).scalar_one()
        waits.append(round(waiting))
        let_pass(fresh_api, run)
    assert waits == pytest.approx([2, 4, 8, 16, 32, 60, 60, 60], abs=1)


def test_a_machine_that_stays_in_trouble_ends_the_file_with_the_cause(fresh_api: Any) -> None:
    run = fresh_api.run().ready(1)
    for number in range(20):
        assert run.status == "EXECUTING", number
        run.report(release=[release(run.take(1)[0], wait=FULL)])
        let_pass(fresh_api, run)
    assert run.status == "ERROR"
    file = run.files()[0]
    assert file["error_code"] == "storage_full"
    assert "20 attempts" in file["error"] and "no space left on /data" in file["error"]
    with fresh_api.database.reading() as connection:
        assert not connection.exec_driver_sql("SELECT * FROM file_history").all(), "the next run would skip the file"


def test_a_runner_that_is_away_never_ends_a_file(fresh_api: Any) -> None:
    run = fresh_api.run().ready(1)
    for _ in range(30):
        run.report(release=[release(run.take(1)[0], wait={"cause": "runner_away", "detail": "no answer"})])
    assert run.status == "EXECUTING" and column(fresh_api, run, "troubles") == [0]


def test_a_file_that_ends_a_process_has_two_more_attempts(fresh_api: Any) -> None:
    run = fresh_api.run().ready(2)
    first, second = run.take(2)
    run.report([second])
    for attempt in (2, 3):
        run.report(release=[release(first, wait={"cause": "backoff", "detail": "killed"}, strike=True)])
        first = run.take(1)[0]
        assert first["attempt"] == attempt
    run.report(release=[release(first, strike=True)])
    file = run.files()[0]
    assert run.status == "COMPLETED" and file["error_code"] == "tool_crashed" and "3 attempts" in file["error"]


def test_a_release_of_an_old_attempt_changes_nothing(fresh_api: Any) -> None:
    run = fresh_api.run().ready(1)
    old = run.take(1)[0]
    run.expire_leases()
    run.take(1, owner="next")
    answer = run.report(release=[release(old, wait=FULL, strike=True)])
    assert answer["lost"] == [old["file_execution_id"]]
    assert column(fresh_api, run, "strikes") == [0] and column(fresh_api, run, "troubles") == [0]


def test_a_wait_that_goes_on_keeps_its_start(fresh_api: Any) -> None:
    announce(fresh_api, "file_processing@node")
    run = fresh_api.run().ready(1)
    away = {"cause": "runner_away", "detail": "no answer", "attempt": 2, "attempts": 12, "retry_seconds": 1.0}
    starts = []
    for _ in range(3):
        held = run.take(1)[0]
        renewal = {"owner": "worker", "lease_seconds": 60, "leases": [release(held)]}
        fresh_api.post(f"{run.path}/files/renew/", renewal | {"waiting": [release(held, wait=away)]})
        waiting = run.files()[0]["waiting"]
        assert (waiting["cause"], waiting["attempt"], waiting["attempts"]) == ("runner_away", 2, 12)
        starts.append(waiting["since"])
        run.report(release=[release(held, wait={"cause": "runner_away"})])
    assert len(set(starts)) == 1
    held = run.take(1)[0]
    assert run.files()[0]["waiting"] is None, "it is worked on"
    fresh_api.post(f"{run.path}/files/renew/", {"owner": "worker", "lease_seconds": 60, "leases": [release(held)]})
    run.report(release=[release(held, wait={"cause": "runner_away"})])
    assert run.files()[0]["waiting"]["since"] > starts[0], "another wait has another start"


def test_a_source_that_cannot_be_listed_now_is_listed_later(fresh_api: Any) -> None:
    run = fresh_api.run()
    trouble = {"wait": {"cause": "machine_trouble", "detail": "no file descriptor left"}}
    assert fresh_api.post(f"{run.path}/put-off/", trouble) == {}
    state = run.state()
    assert state["execution"]["status"] == "PENDING"
    fresh_api.recorder.sent.clear()
    run.age(1000)
    fresh_api.post(SWEEP)
    assert [sent[0] for sent in fresh_api.recorder.sent] == ["async_execute_bin"]
    for _ in range(18):
        fresh_api.post(f"{run.path}/put-off/", trouble)
    assert run.status == "PENDING"
    assert fresh_api.post(f"{run.path}/put-off/", trouble) == {"stop": True}
    entry = run.state()["execution"]
    assert entry["status"] == "ERROR" and "no file descriptor left" in entry["error_message"]
    assert "20 attempts" in entry["error_message"]
