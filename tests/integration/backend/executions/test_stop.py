"""A stop: what is queued ends at once, what a worker is at ends when the worker says so or its lease runs out."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from docfleet.core.names import STOP_EXECUTION


def stop(run: Any, **query: Any) -> Any:
    asked = "&".join(f"{name}={value}" for name, value in ({"wait": 0} | query).items())
    return run.api.post(f"/api/v1/executions/{run.id}/stop?{asked}")


def lease(claim: Any) -> Any:
    return {name: claim[name] for name in ("file_execution_id", "attempt")}


def statuses(run: Any) -> list[str]:
    return [file["status"] for file in run.files()]


@pytest.mark.parametrize("stage", ["created", "registering", "started"])
def test_what_no_worker_is_at_stops_at_once_and_takes_no_more(api: Any, stage: str) -> None:
    run = api.run()
    if stage != "created":
        run.register(api.documents(2))
    if stage == "started":
        run.start()
    told = len(api.recorder.told)
    answer = stop(run)
    assert (answer["outcome"], answer["stopped"], answer["stopping"]) == ("stopped", True, False)
    assert answer["execution"]["status"] == "STOPPED"
    assert statuses(run) == ["STOPPED"] * (0 if stage == "created" else 2)
    assert len(api.recorder.told) == told, "there is nobody to tell"
    assert run.register(api.documents(2, "more/"), page=2)["stop"] is True
    assert run.start()["reason"] == "already_final"
    assert run.claim() == {"stop": True}


def test_a_stop_waits_for_what_a_worker_is_at_and_what_was_delivered_is_completed(api: Any) -> None:
    run = api.run().ready(5)
    held = run.take(3)
    answer = stop(run)
    assert (answer["outcome"], answer["stopping"]) == ("stopping", True)
    assert api.recorder.told[-1] == (STOP_EXECUTION, {"execution_id": run.id})
    assert run.state()["stopping"] is True
    assert sorted(statuses(run)) == ["EXECUTING"] * 3 + ["STOPPED"] * 2
    assert run.claim() == {"stop": True}, "a file was given out after the stop"
    renewal = {"owner": "worker", "lease_seconds": 60, "leases": [lease(claim) for claim in held]}
    assert api.post(f"{run.path}/files/renew/", renewal) == {"stop": True}, "its leases are still the worker's"
    first = run.report(held[:1])
    assert first["written"] == 1 and first["stop"] is True and run.status == "EXECUTING"
    last = run.report(held[1:2], release=[lease(held[2])], claim=renewal | {"limit": 5, "leases": None})
    assert last["claim"] == {"stop": True} and last["stop"] is True and last.get("open_files", 0) == 0
    state = run.state()
    assert (state["execution"]["status"], state["stopping"]) == ("STOPPED", False)
    assert state["counts"] | {"COMPLETED": 2, "STOPPED": 3} == state["counts"]
    assert run.report(held[2:])["refused"][0]["reason"] in ("already_final", "fenced")


def test_an_execution_that_was_done_when_the_stop_came_is_stopped_all_the_same(api: Any) -> None:
    run = api.run().ready(1)
    held = run.take(1)
    stop(run)
    run.report(held)
    assert run.status == "STOPPED" and statuses(run) == ["COMPLETED"]


def test_the_call_answers_when_the_last_worker_has_left(api: Any) -> None:
    run = api.run().ready(2)
    held = run.take(2)
    answers: list[Any] = []
    callers = [threading.Thread(target=lambda: answers.append(stop(run, wait=20))) for _ in range(2)]
    began = time.monotonic()
    for caller in callers:
        caller.start()
    while not run.state()["stopping"]:
        assert time.monotonic() - began < 10
    run.report(release=[lease(claim) for claim in held])
    for caller in callers:
        caller.join()
    assert time.monotonic() - began < 10, "it slept instead of listening"
    # On a busy machine the second call may arrive when all is over.
    outcomes = [answer["outcome"] for answer in answers]
    assert "stopped" in outcomes and set(outcomes) <= {"stopped", "already_ended"}


def test_a_stop_may_be_repeated_and_an_ended_execution_says_so(api: Any) -> None:
    run = api.run().ready(1)
    held = run.take(1)
    assert [stop(run)["outcome"] for _ in range(2)] == ["stopping"] * 2
    run.report(release=[lease(held[0])])
    ended = stop(run)
    assert (ended["outcome"], ended["stopped"], ended["execution"]["status"]) == ("already_ended", False, "STOPPED")
    done = api.run().ready([{"file_name": "other", "file_path": "other"}])
    done.report(done.take(1))
    ended = stop(done)
    assert (ended["outcome"], ended["execution"]["status"]) == ("already_ended", "COMPLETED")


def test_an_execution_of_another_organization_is_not_there(api: Any) -> None:
    run = api.run().ready(1)
    api.other().post(f"/api/v1/executions/{run.id}/stop", status=404)
    assert run.status == "EXECUTING"


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "x"])
def test_a_wait_nobody_can_mean_is_refused(api: Any, wait: str) -> None:
    run = api.run().ready(1)
    api.post(f"/api/v1/executions/{run.id}/stop?wait={wait}", status=400)
    assert run.status == "EXECUTING"


def test_a_lost_worker_is_waited_for_until_its_lease_runs_out(fresh_api: Any) -> None:
    run = fresh_api.run().ready(2)
    run.take(1)
    stop(run)
    run.age(10_000)
    sent = len(fresh_api.recorder.sent)
    fresh_api.post("/internal/v1/sweep/")
    assert run.status == "EXECUTING" and len(fresh_api.recorder.sent) == sent, "work was sent of what is to stop"
    run.expire_leases()
    assert fresh_api.post("/internal/v1/sweep/")["finalized"] == 1
    assert run.status == "STOPPED"
    causes = {file["error"] for file in run.files()}
    assert any("may have been delivered" in cause for cause in causes) and "stopped on request" in causes
    assert fresh_api.recorder.sent[-1][0] == "process_batch_callback", "nobody cleans up"


def test_a_lost_process_ends_what_was_waiting_for_it(api: Any) -> None:
    run = api.run().ready(2)
    held = run.take(1, owner="node/1")
    stop(run)
    api.post("/internal/v1/workers/lost-process/", {"owner": "node/1", "execution_id": run.id})
    assert run.status == "STOPPED"
    unknown = next(file for file in run.files() if file["file_execution_id"] == held[0]["file_execution_id"])
    assert "may have been delivered" in unknown["error"]


def test_the_owner_of_dead_workers_need_not_wait(api: Any) -> None:
    run = api.run().ready(2)
    run.take(1)
    answer = stop(run, abandoned="true")
    assert answer["outcome"] == "stopped" and statuses(run) == ["STOPPED"] * 2


@pytest.mark.parametrize(
    "late",
    [
        lambda run: run.finalize(error="the source broke"),
        lambda run: run.finalize(),
        lambda run: run.api.post(f"{run.path}/update_status/", {"status": "ERROR", "error_message": "x"}),
        lambda run: run.api.post(f"{run.path}/update_status/", {"status": "COMPLETED"}),
    ],
)
def test_whoever_would_end_it_otherwise_waits_for_the_same_leases(api: Any, late: Any) -> None:
    run = api.run().ready(2)
    held = run.take(1)
    stop(run)
    late(run)
    assert run.status == "EXECUTING"
    run.report(held)
    assert run.status == "STOPPED" and sorted(statuses(run)) == ["COMPLETED", "STOPPED"]


def test_a_worker_of_the_original_requests_the_same_stop(api: Any) -> None:
    run = api.run().ready(2)
    held = run.take(1)
    answer = api.post(f"{run.path}/update_status/", {"status": "STOPPED"})
    assert (answer["status"], answer["new_status"]) == ("updated", "EXECUTING")
    run.report(held)
    assert run.status == "STOPPED"
