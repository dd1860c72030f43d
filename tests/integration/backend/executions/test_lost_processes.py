"""What a lost process and a lost worker cost: a strike for the file it was at, a loss for a lease that ran out."""

from __future__ import annotations

from typing import Any

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


def test_another_organization_cannot_free_a_lease(fresh_api: Any) -> None:
    run = fresh_api.run().ready(1)
    held = run.take(1)
    stranger = fresh_api.other()
    stranger.post(LOST, {"owner": "worker", "execution_id": run.id}, status=404)
    assert run.report(held)["written"] == 1


def test_a_process_that_had_to_end_costs_its_files_nothing(fresh_api: Any) -> None:
    run = fresh_api.run().ready(2)
    run.take(2)
    assert lose(run, told_to_end=True) == {"freed": 2}
    assert counted(fresh_api, run) == {1: (0, 0), 2: (0, 0)}
    run.take(2)
    assert lose(run)["freed"] == 2
    assert counted(fresh_api, run) == {1: (0, 1), 2: (0, 1)}, "nobody knows which one it was"
