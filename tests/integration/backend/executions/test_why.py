"""Why is it waiting? One present cause for an execution and for each open file, in every situation."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from docfleet.core.waiting import WaitCause
from tests.integration.backend.presence.announced import announce, end
from tests.waiting import until

FILE_CAUSES = ("runner_away", "breaker_open", "destination_away", "dependency_away", "storage_full", "machine_trouble")


@pytest.fixture
def staffed_api(fresh_api: Any) -> Any:
    """A backend with a worker of each type."""
    for kind in ("general", "file_processing", "api_deployment", "callback"):
        announce(fresh_api, f"{kind}@node", kind)
    return fresh_api


def why(run: Any) -> Any:
    return run.api.get(f"/api/v1/executions/{run.id}/why")


def lease(claim: Any, **more: Any) -> dict[str, Any]:
    return {"file_execution_id": claim["file_execution_id"], "attempt": claim["attempt"], **more}


def test_it_waits_for_a_slot_behind_those_before_it(staffed_api: Any) -> None:
    workflow = staffed_api.workflow()
    runs = [staffed_api.run(workflow).ready(staffed_api.documents(2, f"{n}/")) for n in range(3)]
    answers = [why(run) for run in runs]
    assert [answer["waiting"]["cause"] for answer in answers] == ["slot"] * 3
    assert ["2 executions are ahead" in answer["waiting"]["text"] for answer in answers] == [False, False, True]
    assert answers[2]["causes"] == {"slot": 2} and answers[2]["working"] == 0
    assert [file["waiting"]["cause"] for file in answers[2]["files"]] == ["slot", "slot"]
    assert "ahead" not in answers[0]["waiting"]["text"]


def test_what_is_worked_on_waits_for_nothing(staffed_api: Any) -> None:
    run = staffed_api.run().ready(3)
    run.claim(limit=1)
    answer = why(run)
    assert answer["waiting"] is None and answer["working"] == 1 and answer["causes"] == {"slot": 2}
    assert run.state()["waiting"] is None


def test_a_listing_waits_for_its_worker(staffed_api: Any) -> None:
    workflow = staffed_api.workflow()
    first, second = staffed_api.run(workflow), staffed_api.run(workflow)
    assert why(first)["waiting"]["cause"] == why(second)["waiting"]["cause"] == "slot"
    assert "1 execution is ahead" in why(second)["waiting"]["text"]
    first.register(staffed_api.documents(2))
    assert why(first)["waiting"] is None, "a worker lists its source"
    staffed_api.post(f"{second.path}/put-off/", {"wait": {"cause": "machine_trouble", "detail": "no descriptors"}})
    waiting = why(second)["waiting"]
    assert (waiting["cause"], waiting["attempt"], waiting["attempts"]) == ("machine_trouble", 2, 20)
    assert "no descriptors" in waiting["text"]
    second.register(staffed_api.documents(2, "later/"))
    assert why(second)["waiting"] is None, "it is listed now"


def test_a_type_of_worker_that_is_missing_is_named_at_once(staffed_api: Any) -> None:
    listed, dispatched = staffed_api.run(), staffed_api.run().ready(1)
    end(staffed_api, "general@node", "file_processing@node")
    for run, kind in ((listed, "general"), (dispatched, "file_processing")):
        waiting = why(run)["waiting"]
        assert waiting["cause"] == "no_worker" and kind in waiting["text"] and waiting["since"], waiting
    assert why(dispatched)["files"][0]["waiting"]["cause"] == "no_worker"
    announce(staffed_api, "other@node", "file_processing")
    assert why(dispatched)["waiting"]["cause"] == "slot"


@pytest.mark.parametrize("cause", FILE_CAUSES)
def test_what_a_worker_reports_of_a_file_it_holds_is_its_cause(staffed_api: Any, cause: str) -> None:
    run = staffed_api.run().ready(1)
    held = run.take(1)[0]
    wait = {"cause": cause, "detail": "exactly this", "retry_seconds": 5.0, "attempt": 3, "attempts": 8}
    body = {"owner": "worker", "lease_seconds": 60, "leases": [lease(held)], "waiting": [lease(held, wait=wait)]}
    staffed_api.post(f"{run.path}/files/renew/", body)
    for waiting in (why(run)["waiting"], why(run)["files"][0]["waiting"], run.files()[0]["waiting"]):
        assert waiting["cause"] == cause and waiting["text"].endswith(": exactly this")
        assert waiting["since"] < waiting["until"] and (waiting["attempt"], waiting["attempts"]) == (3, 8)
    assert run.state()["waiting"]["cause"] == cause
    staffed_api.post(f"{run.path}/files/renew/", body | {"waiting": []})
    assert why(run)["waiting"] is None and why(run)["working"] == 1


@pytest.mark.parametrize("cause", ["runner_away", "storage_full"])
def test_a_file_that_was_given_back_waits_for_the_same_until_it_is_taken_again(staffed_api: Any, cause: str) -> None:
    run = staffed_api.run().ready(1)
    held = run.take(1)[0]
    run.report(release=[lease(held, wait={"cause": cause, "detail": "d"})])
    assert why(run)["waiting"]["cause"] == cause and why(run)["causes"] == {cause: 1}
    assert bool(why(run)["waiting"]["until"]) is (cause == "storage_full")
    staffed_api.write("UPDATE file_executions SET not_before = 0")
    run.take(1, owner="next")
    assert why(run)["waiting"] is None


def test_an_execution_beyond_its_organizations_share_says_so(staffed_api: Any) -> None:
    run = staffed_api.run().ready(2)
    staffed_api.write("UPDATE executions SET parked_at = 1000000000, open_batches = 0 WHERE id = :e", e=run.id)
    answer = why(run)
    assert answer["waiting"]["cause"] == "organization_share" and answer["causes"] == {"organization_share": 2}
    assert answer["waiting"]["since"].startswith("2001-09-09")


def test_a_lost_attempt_is_a_backoff(staffed_api: Any) -> None:
    run = staffed_api.run().ready(1)
    run.take(1)
    run.expire_leases()
    assert why(run)["waiting"]["cause"] == "backoff"


def test_a_stop_that_waits_for_a_worker_says_so(staffed_api: Any) -> None:
    run = staffed_api.run().ready(2)
    held = run.claim(limit=1)["claims"]
    staffed_api.post(f"/api/v1/executions/{run.id}/stop?wait=0")
    assert why(run)["waiting"]["cause"] == "stopping" and why(run)["causes"] == {"stopping": 1}
    run.report(release=[lease(held[0])])
    answer = why(run)
    assert answer["status"] == "STOPPED" and answer["waiting"] is None and answer["files"] == []


def test_the_first_of_several_causes_is_the_executions(staffed_api: Any) -> None:
    run = staffed_api.run().ready(3)
    first, second = run.take(2)
    run.report(release=[lease(first, wait={"cause": "storage_full"}), lease(second, wait={"cause": "runner_away"})])
    assert why(run)["causes"] == {"storage_full": 1, "runner_away": 1, "slot": 1}
    assert why(run)["waiting"]["cause"] == "runner_away"


def test_another_organization_does_not_learn_it(staffed_api: Any) -> None:
    run = staffed_api.run().ready(1)
    staffed_api.other().get(f"/api/v1/executions/{run.id}/why", status=404)


def test_a_changed_cause_is_a_line_of_the_log_and_a_number_in_the_metrics(staffed_api: Any) -> None:
    run = staffed_api.run().ready(1)

    def lines() -> list[str]:
        log = staffed_api.get(f"/api/v1/executions/{run.id}/logs")
        return [line["log"] for line in log["logs"] if "execution waits" in line["log"] or "goes on" in line["log"]]

    def metric(cause: str) -> float:
        headers = {"Authorization": "Bearer test-key-of-forty-characters-0123456789ab"}
        text = staffed_api.client.get("/metrics", headers=headers).text
        start = f'docfleet_waiting_executions{{cause="{cause}"}} '
        return next(float(line.removeprefix(start)) for line in text.splitlines() if line.startswith(start))

    def sweep(number: int) -> bool:
        run.age(10)
        staffed_api.post("/internal/v1/sweep/")  # does nothing while the one that a lost worker caused is under way
        return len(lines()) >= number

    assert sweep(1) and sweep(1)
    assert len(lines()) == 1 and "slot" in lines()[0], "the same cause is one line"
    assert metric("slot") == 1
    end(staffed_api, "file_processing@node")
    until(lambda: sweep(2), 10)
    assert len(lines()) == 2 and "no worker of type file_processing" in lines()[1]
    assert (metric("slot"), metric("no_worker")) == (0, 1)
    announce(staffed_api, "new@node")
    held = run.take(1)
    until(lambda: sweep(3), 10)
    assert lines()[2:] == ["The execution goes on"]
    assert sum(metric(cause.value) for cause in WaitCause) == 0
    run.report(held)
    assert run.status == "COMPLETED"


@pytest.mark.parametrize("sender", ["sweep", "repeat"])
def test_an_execution_that_the_broker_has_not_taken_waits_for_the_broker(staffed_api: Any, sender: str) -> None:
    path, key = f"/api/v1/workflows/{staffed_api.workflow()}/executions", str(uuid.uuid4())
    staffed_api.recorder.down = True
    run = staffed_api.execution(staffed_api.post(path, status=202, Idempotency_Key=key)["execution_id"])
    first = why(run)["waiting"]
    assert first["cause"] == "dependency_away" and "the broker" in first["text"] and first["since"], first
    staffed_api.post(path, status=202, Idempotency_Key=key)
    assert why(run)["waiting"] == first
    staffed_api.recorder.down = False
    if sender == "sweep":
        staffed_api.post("/internal/v1/sweep/")
    else:
        staffed_api.post(path, status=200, Idempotency_Key=key)
    assert why(run)["waiting"]["cause"] == "slot"
