"""What a lost process and a lost worker cost: a strike for the file it was at, a loss for a lease that ran out."""

from __future__ import annotations

from typing import Any

import pytest

LOST = "/internal/v1/workers/lost-process/"
SWEEP = "/internal/v1/sweep/"


def lose(run: Any, claim: Any = None, owner: str = "worker", **more: Any) -> Any:
    named = {} if claim is None else {"file_execution_id": claim["file_execution_id"]}
    return run.api.post(LOST, {"owner": owner, "execution_id": run.id, **named, **more})


def counted(api: Any, run: Any) -> dict[int, tuple[int, int]]:
    """Strikes and losses by file number."""
    with api.database.reading() as connection:
        rows = connection.exec_driver_sql(
            f"SELECT file_number, strikes, losses FROM file_executions WHERE execution_id = '{run.id}'"
        ).all()
    return {number: (strikes, losses) for number, strikes, losses in rows}


def named_again(api: Any) -> set[str]:
    """Files that batches of the last sweep name."""
    return {
        pair[0] for task, args, *_ in api.recorder.sent if task == "process_file_batch" for pair in args[0]["files"]
    }


def test_a_dead_process_frees_what_it_held_and_costs_the_file_it_was_at_a_strike(fresh_api: Any) -> None:
    run = fresh_api.run().ready(4)
    mine, other = run.take(3, owner="node/1"), run.take(1, owner="node/12")
    assert lose(run, mine[1], "node/1") == {"freed": 3, "struck": True}
    assert counted(fresh_api, run) == {1: (0, 0), 2: (1, 0), 3: (0, 0), 4: (0, 0)}
    assert run.report(other, owner="node/12")["written"] == 1, "a process whose owner begins alike lost its lease"
    fresh_api.post(SWEEP)
    assert named_again(fresh_api) == {item["file_execution_id"] for item in mine}
    again = run.take(3, owner="node/2")
    assert len(again) == 3 and {item["attempt"] for item in again} == {2}
    assert counted(fresh_api, run)[1] == (0, 0), "a lease that was freed is no loss"


def test_telling_it_twice_strikes_once(fresh_api: Any) -> None:
    run = fresh_api.run().ready(1)
    held = run.take(1)
    lose(run, held[0])
    assert lose(run, held[0]) == {}
    assert counted(fresh_api, run) == {1: (1, 0)}


def test_the_report_of_the_dead_is_fenced_once_another_holds_the_file(fresh_api: Any) -> None:
    run = fresh_api.run().ready(1)
    held = run.take(1)
    lose(run, held[0])
    run.take(1, owner="next")
    assert run.report(held)["refused"][0]["reason"] == "fenced"


def test_a_file_that_kills_three_processes_ends_alone(fresh_api: Any) -> None:
    run = fresh_api.run().ready(5)
    killer = run.files()[2]["file_execution_id"]
    for owner in ("a", "b", "c"):
        held = run.take(5, owner=owner)
        assert len(held) == 5
        lose(run, {"file_execution_id": killer}, owner)
    done = fresh_api.post(SWEEP)
    assert done["poisoned"] == 1
    run.report(run.take(5, owner="d"), owner="d")
    files = {item["file_execution_id"]: item for item in run.files()}
    assert files[killer]["status"] == "ERROR" and files[killer]["error_code"] == "tool_crashed"
    assert "gave up after 3 attempts" in files[killer]["error"] and "process" in files[killer]["error"]
    assert [item["status"] for key, item in files.items() if key != killer] == ["COMPLETED"] * 4
    assert run.status == "COMPLETED"


def test_a_file_is_given_up_by_a_claim_too(fresh_api: Any) -> None:
    run = fresh_api.run().ready(1)
    for owner in ("a", "b", "c"):
        lose(run, run.take(1, owner=owner)[0], owner)
    answer = run.claim(owner="d")
    assert not answer.get("claims") and answer["stop"] is True
    assert run.status == "ERROR"


def test_lost_workers_do_not_count_against_a_file_until_there_are_ten(fresh_api: Any) -> None:
    run = fresh_api.run().ready(1)
    for number in range(10):
        assert run.take(1, owner=str(number)), f"given up after {number} losses"
        run.expire_leases()
    assert counted(fresh_api, run) == {1: (0, 9)}
    assert fresh_api.post(SWEEP)["poisoned"] == 1
    assert "worker that held this file was lost" in run.files()[0]["error"] and "10 attempts" in run.files()[0]["error"]
    assert run.status == "ERROR"


def test_what_is_given_back_or_handed_out_again_is_no_loss(fresh_api: Any) -> None:
    run = fresh_api.run().ready(1)
    for number in range(12):
        held = run.take(1, owner=str(number))
        run.report(owner=str(number), release=[{key: held[0][key] for key in ("file_execution_id", "attempt")}])
        fresh_api.post(SWEEP)
    assert counted(fresh_api, run) == {1: (0, 0)}
    assert run.report(run.take(1))["written"] == 1


def test_a_process_that_died_at_no_file_costs_all_it_held_a_loss(fresh_api: Any) -> None:
    """Whatever kills it while it claims or reports has its end too."""
    run = fresh_api.run().ready(2)
    for number in range(30):
        if not (held := run.take(2, owner=str(number))):
            break
        lose(run, owner=str(number))
        assert counted(fresh_api, run)[held[0]["file"]["file_number"]] != (0, 0)
    assert run.status == "ERROR"
    assert {item["status"] for item in run.files()} == {"ERROR"}


def test_reports_that_are_refused_for_ever_end_with_the_losses(fresh_api: Any) -> None:
    run = fresh_api.run().ready(1)
    for number in range(30):
        held = run.take(1, owner=str(number))
        if not held:
            break
        outcome = {**fresh_api.outcome(held[0]), "status": "EXECUTING"}
        body = {"owner": str(number), "lease_seconds": 60, "outcomes": [outcome]}
        fresh_api.post(f"{run.path}/files/report/", body, status=400)
        run.expire_leases()
        fresh_api.post(SWEEP)
    assert run.status == "ERROR" and number == 10


def test_an_orchestration_that_kills_three_processes_ends_the_execution(fresh_api: Any) -> None:
    run = fresh_api.run()
    for number in (1, 2):
        assert lose(run, owner=f"general/{number}", orchestration=True) == {"struck": True}
        assert run.status == "PENDING"
        fresh_api.recorder.sent.clear()
        assert fresh_api.post(SWEEP)["redispatched_executions"] == 1, "it was not due at once"
        assert fresh_api.post(SWEEP)["redispatched_executions"] == 0
    lose(run, owner="general/3", orchestration=True)
    info = run.state()["execution"]
    assert info["status"] == "ERROR" and "gave up after 3 attempts" in info["error_message"]
    assert lose(run, owner="general/4", orchestration=True) == {}


def test_a_batch_that_died_before_its_claim_is_sent_again_by_the_next_sweep(fresh_api: Any) -> None:
    run = fresh_api.run().ready(3)
    fresh_api.recorder.sent.clear()
    assert fresh_api.post(SWEEP)["redispatched_executions"] == 0
    lose(run)
    assert fresh_api.post(SWEEP)["redispatched_executions"] == 1
    assert fresh_api.recorder.sent[0][0] == "process_file_batch"


def test_a_claim_whose_answer_was_lost_is_answered_alike(fresh_api: Any) -> None:
    run = fresh_api.run().ready(6)
    first = run.claim(limit=2, owner="me", request_id="r1")["claims"]
    assert run.claim(limit=2, owner="me", request_id="r1")["claims"] == first
    other = run.claim(limit=2, owner="you", request_id="r1")["claims"]
    assert not {item["file_execution_id"] for item in first} & {item["file_execution_id"] for item in other}
    more = run.claim(limit=2, owner="me", request_id="r2")["claims"]
    assert not {item["file_execution_id"] for item in first} & {item["file_execution_id"] for item in more}
    assert run.report(first, owner="me")["written"] == len(first)
    lease = {"file_execution_id": more[0]["file_execution_id"], "attempt": 1}
    assert "lost" not in run.api.post(
        f"{run.path}/files/renew/", {"owner": "me", "lease_seconds": 60, "leases": [lease]}
    )
    again = run.claim(limit=2, owner="me", request_id="r1").get("claims", [])
    assert not {item["file_execution_id"] for item in first} & {item["file_execution_id"] for item in again}


def test_a_report_whose_answer_was_lost_claims_alike(fresh_api: Any) -> None:
    run = fresh_api.run().ready(4)
    first = run.claim(limit=1, owner="me", request_id="r1")["claims"]
    claim = {"owner": "me", "lease_seconds": 60, "limit": 2, "request_id": "r2"}
    answer = run.report(first, owner="me", claim=claim)
    assert answer["claim"]["claims"]
    assert run.report(first, owner="me", claim=claim) == answer
    assert sum(1 for item in run.files() if item["status"] == "EXECUTING") == len(answer["claim"]["claims"])


def test_another_organization_cannot_free_a_lease(fresh_api: Any) -> None:
    run = fresh_api.run().ready(1)
    held = run.take(1)
    stranger = fresh_api.other()
    stranger.post(LOST, {"owner": "worker", "execution_id": run.id}, status=404)
    assert run.report(held)["written"] == 1


@pytest.mark.parametrize("body", [{"owner": "", "execution_id": "x"}, {"execution_id": "x"}])
def test_a_report_without_owner_is_refused(fresh_api: Any, body: dict[str, str]) -> None:
    run = fresh_api.run()
    fresh_api.post(LOST, {**body, "execution_id": run.id}, status=400)


def test_however_often_it_is_finalized_the_pipeline_counts_one_run(fresh_api: Any) -> None:
    workflow, pipeline = fresh_api.workflow(), "7b8a2f9e-0000-4000-8000-" + fresh_api.organization[-12:]
    fresh_api.write(
        "INSERT INTO pipelines (id, organization_id, workflow_id, pipeline_name, pipeline_type, active, run_count, "
        "created_at, modified_at) VALUES (:p, :o, :w, 'nightly', 'ETL', :t, 0, 0, 0)",
        p=pipeline,
        o=fresh_api.organization,
        w=workflow,
        t=True,
    )
    body = {"workflow_id": workflow, "pipeline_id": pipeline}
    created = fresh_api.post("/internal/v1/workflow-manager/execution/create/", body)["execution_id"]
    run = fresh_api.execution(created).ready(2)
    held = run.take(2)
    for _ in range(3):
        run.report(held)
        run.finalize()
        run.finalize(error="late")
        fresh_api.post(f"/api/v1/executions/{run.id}/stop?wait=0", status=None)
        fresh_api.post(SWEEP)
    assert fresh_api.get(f"/internal/v1/pipeline/{pipeline}/")["pipeline"]["run_count"] == 1
    assert run.status == "COMPLETED"


def test_who_may_be_given_up_for_the_next_loss_is_claimed_alone(fresh_api: Any) -> None:
    run = fresh_api.run().ready(4)
    for number in range(9):
        assert len(run.take(4, owner=str(number))) == 4
        run.expire_leases()
    assert [item["file"]["file_number"] for item in run.claim(limit=4, owner="next")["claims"]] == [1]


def test_a_process_that_was_told_to_end_costs_its_files_nothing(fresh_api: Any) -> None:
    run = fresh_api.run().ready(2)
    run.take(2)
    assert lose(run, told_to_end=True) == {"freed": 2}
    assert counted(fresh_api, run) == {1: (0, 0), 2: (0, 0)}
    run.take(2)
    assert lose(run)["freed"] == 2
    assert counted(fresh_api, run) == {1: (0, 1), 2: (0, 1)}, "nobody knows which one it was"
