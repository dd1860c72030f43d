"""The sweep recovers what the fast path lost."""

from __future__ import annotations

from typing import Any

import pytest

from docfleet.backend.executions import sweep as sweeping
from docfleet.core.names import STOP_EXECUTION, QueueName
from tests.integration.backend.sweeps import SWEEP, sweep

NOTHING = {
    "redispatched_files": 0,
    "redispatched_executions": 0,
    "finalized": 0,
    "poisoned": 0,
    "expired": 0,
    "failed": 0,
}


def test_nothing_to_do_writes_nothing(fresh_api: Any) -> None:
    run = fresh_api.run().ready(2)
    before = run.state()
    assert sweep(fresh_api) == NOTHING
    assert run.state() == before and not fresh_api.recorder.sent


def test_files_of_dead_workers_are_handed_out_again_once(fresh_api: Any) -> None:
    run = fresh_api.run().ready(120)
    held = run.take(120)
    run.report(held[:2])
    run.expire_leases()
    assert sweep(fresh_api) == NOTHING | {"redispatched_files": 118}
    sizes = []
    named = set()
    for task, args, _, queue in fresh_api.recorder.sent:
        assert (task, queue) == ("process_file_batch", "file_processing")
        assert args[0]["file_data"]["execution_id"] == run.id
        sizes.append(len(args[0]["files"]))
        named |= {pair[0] for pair in args[0]["files"]}
    assert sizes == [50, 50, 18] and len(named) == 118
    assert sweep(fresh_api) == NOTHING
    ids = [pair[0] for pair in fresh_api.recorder.sent[0][1][0]["files"]] if fresh_api.recorder.sent else sorted(named)
    assert len(run.claim(limit=200, owner="rescuer", file_execution_ids=ids)["claims"]) == 118
    run.age(61)
    assert sweep(fresh_api) == NOTHING


def test_released_files_are_handed_out_again(fresh_api: Any) -> None:
    run = fresh_api.run().ready(1)
    held = run.take(1)
    run.report(release=[{k: held[0][k] for k in ("file_execution_id", "attempt")}])
    assert sweep(fresh_api)["redispatched_files"] == 1


def test_neighbours_of_a_file_that_kills_its_workers_are_not_given_up_with_it(fresh_api: Any) -> None:
    """Every worker that holds the first file is lost with all it holds, and nobody knows why; the others are fine."""
    run = fresh_api.run().ready(30)
    killer = run.files()[0]["file_execution_id"]
    for _ in range(200):
        if run.status != "EXECUTING":
            break
        run.expire_leases()
        run.age(61)
        sweep(fresh_api)
        batches = [args[0] for task, args, _, _ in fresh_api.recorder.sent if task == "process_file_batch"]
        for ids in [[pair[0] for pair in batch.get("files", [])] for batch in batches] or [[]]:
            held = run.claim(limit=50, owner="w", file_execution_ids=ids).get("claims", [])
            if killer not in [item["file_execution_id"] for item in held]:
                run.report(held, owner="w")
    ended = {item["file_execution_id"]: item["status"] for item in run.files()}
    assert ended.pop(killer) == "ERROR"
    assert set(ended.values()) == {"COMPLETED"}


def test_an_execution_nobody_finalized_is_finalized(fresh_api: Any) -> None:
    run = fresh_api.run().ready([{"file_name": "x", "file_path": "x", "rejection": "bad"}])
    assert run.status == "EXECUTING"
    assert sweep(fresh_api) == NOTHING | {"finalized": 1}
    assert run.status == "ERROR"


def test_lost_batches_are_sent_again_after_the_deadline(fresh_api: Any) -> None:
    run = fresh_api.run().ready(10, batch_count=4)
    run.age(61)
    assert sweep(fresh_api) == NOTHING | {"redispatched_executions": 1}
    task, args, _, _ = fresh_api.recorder.sent[0]
    assert task == "process_file_batch" and "files" not in args[0] and "batch_index" not in args[0]
    assert sweep(fresh_api) == NOTHING
    run.age(61)
    run.claim(limit=1)  # progress
    assert sweep(fresh_api) == NOTHING


def test_a_lost_orchestrator_is_sent_again_and_given_up_at_last(fresh_api: Any) -> None:
    run = fresh_api.run()
    run.age(61)
    assert sweep(fresh_api) == NOTHING | {"redispatched_executions": 1}
    assert fresh_api.recorder.sent[0][:2] == (
        "async_execute_bin",
        [fresh_api.organization, run.state()["execution"]["workflow_id"], run.id, {}],
    )
    assert sweep(fresh_api) == NOTHING
    run.age(86_500)
    assert sweep(fresh_api) == NOTHING | {"expired": 1}
    info = run.state()["execution"]
    assert info["status"] == "ERROR" and "no worker listed the source" in info["error_message"]


def test_repeats_wait_longer_each_time_so_that_a_queue_does_not_fill_with_copies(fresh_api: Any) -> None:
    run = fresh_api.run()
    sent = 0
    for _ in range(60):
        run.age(61)
        sent += sweep(fresh_api)["redispatched_executions"]
    assert 5 <= sent <= 8  # an hour: after 1, 2, 4, 8, 16, 32 minutes


def test_a_listing_that_makes_progress_is_left_alone(fresh_api: Any) -> None:
    run = fresh_api.run()
    run.age(5000)
    run.register(fresh_api.documents(2))
    assert sweep(fresh_api) == NOTHING


def test_an_execution_past_its_deadline_ends(fresh_api: Any) -> None:
    run = fresh_api.run().ready(2)
    run.report(run.take(1))
    run.age(100_001)
    assert sweep(fresh_api) == NOTHING | {"expired": 1}
    info = run.state()["execution"]
    assert info["status"] == "ERROR" and "deadline" in info["error_message"]
    assert (info["successful_files"], info["failed_files"]) == (1, 1)


def test_a_deadline_waits_for_what_a_worker_is_at(fresh_api: Any) -> None:
    """A lease may stand for a delivery that has begun: a file must not be ERROR and delivered."""
    run = fresh_api.run().ready(4)
    held = run.take(3)
    run.age(100_001)
    assert sweep(fresh_api) == NOTHING | {"expired": 1}
    assert fresh_api.recorder.told[-1] == (STOP_EXECUTION, {"execution_id": run.id})
    assert run.status == "EXECUTING" and run.state()["stopping"]
    assert sorted(file["status"] for file in run.files()) == ["ERROR"] + ["EXECUTING"] * 3
    assert run.claim() == {"stop": True}, "a file was given out after the deadline"
    assert sweep(fresh_api) == NOTHING
    delivered = run.report(held[:1])
    assert delivered["written"] == 1 and delivered["stop"] is True
    stopping = fresh_api.post(f"/api/v1/executions/{run.id}/stop?wait=0")
    assert stopping["outcome"] == "stopping"
    lease = {name: held[1][name] for name in ("file_execution_id", "attempt")}
    run.report([], release=[lease])
    assert run.status == "EXECUTING"
    run.expire_leases()
    assert sweep(fresh_api) == NOTHING | {"finalized": 1}
    state = run.state()
    info = state["execution"]
    assert (info["status"], state["stopping"]) == ("ERROR", False)
    assert info["error_message"].startswith("the deadline passed")
    assert (info["successful_files"], info["failed_files"], info["stopped_files"]) == (1, 3, 0)
    files = {file["file_execution_id"]: file for file in run.files()}
    assert {file["error_code"] for file in files.values()} == {None, "deadline_exceeded"}
    assert "may have been delivered" in files[held[2]["file_execution_id"]]["error"]
    assert "may have been delivered" not in files[held[1]["file_execution_id"]]["error"]
    assert fresh_api.post(f"/api/v1/executions/{run.id}/stop?wait=0")["outcome"] == "already_ended"


def test_a_requested_stop_stays_one_after_the_deadline(fresh_api: Any) -> None:
    run = fresh_api.run().ready(1)
    (claim,) = run.take()
    fresh_api.post(f"/api/v1/executions/{run.id}/stop?wait=0")
    run.age(100_001)
    assert sweep(fresh_api) == NOTHING
    run.report([], release=[{name: claim[name] for name in ("file_execution_id", "attempt")}])
    assert run.status == "STOPPED"


def test_workers_of_an_expired_execution_hear_that_it_ended(fresh_api: Any) -> None:
    run = fresh_api.run().ready(1)
    run.take()
    run.age(100_001)
    sweep(fresh_api)
    answer = fresh_api.post(f"/api/v1/executions/{run.id}/stop?wait=0&abandoned=true")
    assert (answer["outcome"], answer["stopped"], run.status) == ("already_ended", False, "ERROR")


def test_one_sweeper_at_a_time(fresh_api: Any) -> None:
    run = fresh_api.run()
    run.age(61)
    fresh_api.write("INSERT INTO leases (name, owner, until) VALUES ('sweep', 'somebody', 99999999999)")
    assert sweep(fresh_api) == NOTHING
    fresh_api.write("UPDATE leases SET until = 1")
    assert sweep(fresh_api)["redispatched_executions"] == 1


def test_a_broker_that_is_away_does_not_break_the_sweep(fresh_api: Any) -> None:
    run = fresh_api.run()
    done = fresh_api.run(fresh_api.workflow(name="two")).ready([{"file_name": "x", "file_path": "x", "rejection": "b"}])
    run.age(61)
    fresh_api.recorder.down = True
    assert sweep(fresh_api)["finalized"] == 1
    assert done.status == "ERROR" and run.status == "PENDING"
    fresh_api.recorder.down = False
    run.age(130)
    assert sweep(fresh_api)["redispatched_executions"] == 1
    assert len(fresh_api.recorder.sent) == 1


def test_every_accepted_execution_ends_by_sweeping_alone(fresh_api: Any) -> None:
    """A fleet that loses every message and dies with every claim."""
    run = fresh_api.run().ready(3)
    for _ in range(20):
        if run.status != "EXECUTING":
            break
        run.age(61)
        sweep(fresh_api)
        run.take(3)
        run.expire_leases()
    assert run.status == "ERROR"


@pytest.mark.parametrize("header", ["X-Organization-ID"])
def test_the_sweep_needs_no_organization(fresh_api: Any, header: str) -> None:
    response = fresh_api.client.post(
        SWEEP, json={}, headers={"Authorization": fresh_api.last.request.headers["authorization"]}
    )
    assert header not in response.request.headers and response.status_code == 200


def test_what_is_lost_in_a_busy_queue_is_sent_again_in_the_end(fresh_api: Any) -> None:
    run = fresh_api.run()
    fresh_api.recorder.lying = {QueueName.GENERAL.value: 1}
    run.age(599)
    assert sweep(fresh_api)["redispatched_executions"] == 0
    run.age(2)
    assert sweep(fresh_api)["redispatched_executions"] == 1


def test_what_is_lost_a_second_time_is_handed_out_at_once_whatever_waits(fresh_api: Any) -> None:
    """Somebody claimed it after it was sent again: that message cannot be in the queue any more."""
    run = fresh_api.run().ready(1)
    fresh_api.recorder.lying = {QueueName.FILE_PROCESSING.value: 50}
    for _ in range(3):
        run.take(1)
        run.expire_leases()
        assert sweep(fresh_api)["redispatched_files"] == 1
        assert sweep(fresh_api)["redispatched_files"] == 0


def test_files_left_open_by_an_ended_execution_are_closed(fresh_api: Any) -> None:
    run = fresh_api.run().ready(3)
    held = run.take(2)
    fresh_api.write("UPDATE executions SET status = 'ERROR', finished_at = 1 WHERE id = :e", e=run.id)
    sweep(fresh_api)
    assert {item["status"] for item in run.files()} == {"STOPPED"}
    info = run.state()["execution"]
    assert info["successful_files"] + info["failed_files"] + info["stopped_files"] == info["total_files"] == 3
    assert run.report(held)["refused"]


def test_one_execution_that_cannot_be_swept_stops_no_other(fresh_api: Any) -> None:
    """Whatever is wrong with it (here a row nobody can read): the sweep is the last hope of all the others."""
    broken, sound = fresh_api.run().ready(1), fresh_api.run(fresh_api.workflow(name="other")).ready(1)
    for run in (broken, sound):
        run.take(1)
        run.expire_leases()
    fresh_api.write("UPDATE file_executions SET data = '[]' WHERE execution_id = :e", e=broken.id)
    fresh_api.recorder.sent.clear()
    done = fresh_api.post(SWEEP)
    assert [args[0]["file_data"]["execution_id"] for _, args, *_ in fresh_api.recorder.sent] == [sound.id]
    assert done["redispatched_files"] == 1 and done["failed"] == 1
    assert fresh_api.post(SWEEP)["failed"] == 1, "the lease of the sweep was kept"


def three_runs(api: Any) -> list[Any]:
    """Executions of one file each, of one workflow."""
    workflow = api.workflow()
    return [api.run(workflow, use_file_history=False).ready([{"file_name": n, "file_path": n}]) for n in "abc"]


def test_what_cannot_be_recovered_yet_does_not_keep_a_sweep_from_what_can(
    fresh_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep looks at so many executions of a kind, those that were quiet for longest first."""
    monkeypatch.setattr(sweeping, "MAX_EXECUTIONS", 2)
    runs = three_runs(fresh_api)
    for run in runs:
        run.take(1)
        run.expire_leases()
    handed_out = {"redispatched_files": 2}, {"redispatched_files": 1}, {"redispatched_files": 0}
    for expected in handed_out:
        assert fresh_api.post(SWEEP).items() >= expected.items()


def test_stops_that_wait_for_their_workers_do_not_keep_a_sweep_from_ending_others(
    fresh_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "MAX_EXECUTIONS", 2)
    runs = three_runs(fresh_api)
    for run in runs:
        run.take(1)
        fresh_api.post(f"/api/v1/executions/{run.id}/stop?wait=0")
    runs[2].expire_leases()
    assert fresh_api.post(SWEEP)["finalized"] == 1
    assert [run.status for run in runs] == ["EXECUTING", "EXECUTING", "STOPPED"]
