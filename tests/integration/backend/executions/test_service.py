"""Executions are created and sent, and stopped."""

from __future__ import annotations

from typing import Any

import pytest


def test_running_a_workflow_sends_its_orchestrator(api: Any) -> None:
    workflow = api.workflow()
    run = api.run(workflow, tags=["monthly"], use_file_history=False)
    task, args, kwargs, queue = api.recorder.sent[-1]
    assert (task, args, queue) == ("async_execute_bin", [api.organization, workflow, run.id, {}], "celery")
    assert kwargs["use_file_history"] is False and kwargs["transport"] == "celery"
    assert [tag["name"] for tag in run.state()["execution"]["tags"]] == ["monthly"]


def test_a_run_without_body_is_a_run(api: Any) -> None:
    path = f"/api/v1/workflows/{api.workflow()}/executions"
    assert api.call("POST", path, None, status=201)["status"] == "PENDING"


def test_an_idempotency_key_creates_one_execution(api: Any) -> None:
    path = f"/api/v1/workflows/{api.workflow()}/executions"
    first = api.post(path, {}, status=201, Idempotency_Key="k1")
    assert api.post(path, {}, status=200, Idempotency_Key="k1") == first
    assert len(api.recorder.sent) == 1
    problem = api.post(path, {"use_file_history": False}, status=409, Idempotency_Key="k1")
    assert problem["code"] == "conflict"
    assert len(api.get("/api/v1/executions")["executions"]) == 1
    created = "/internal/v1/workflow-manager/execution/create/"
    body = {"workflow_id": first["execution_id"]}
    api.post(created, body, status=404, Idempotency_Key="k2")
    workflow = api.get("/api/v1/workflows")["workflows"][0]["workflow_id"]
    one = api.post(created, {"workflow_id": workflow, "scheduled": True}, Idempotency_Key="k2")
    assert api.post(created, {"workflow_id": workflow, "scheduled": True}, Idempotency_Key="k2") == one
    assert one["status"] == "PENDING" and len(api.recorder.sent) == 1


@pytest.mark.parametrize(
    "review", [{"review_percentage": 10}, {"review_required": True}, {"rule_logic": "AND", "rule_json": {"a": 1}}]
)
def test_review_is_refused_where_there_is_no_queue(api: Any, review: dict[str, Any]) -> None:
    workflow = api.workflow(manual_review=review)
    problem = api.post(f"/api/v1/workflows/{workflow}/executions", {}, status=422)
    assert problem["code"] == "review_unavailable"
    api.post("/internal/v1/workflow-manager/execution/create/", {"workflow_id": workflow}, status=422)
    assert api.get("/api/v1/executions")["executions"] == [] and not api.recorder.sent


WAYS = ["workflow", "pipeline", "retry"]


def _call(api: Any, way: str) -> str:
    """The path of a call that starts an execution."""
    workflow = api.workflow()
    if way == "workflow":
        return f"/api/v1/workflows/{workflow}/executions"
    if way == "pipeline":
        made = api.put("/api/v1/pipelines", {"name": "nightly", "workflow": "invoices"})
        return f"/api/v1/pipelines/{made['pipeline_id']}/run"
    run = api.run(workflow).ready(1)
    run.report(run.take(), "ERROR")
    return f"/api/v1/executions/{run.id}/retry"


def _sweep(api: Any) -> Any:
    return api.post("/internal/v1/sweep/")


@pytest.mark.parametrize("way", WAYS)
def test_with_an_idempotency_key_an_execution_waits_for_the_broker(fresh_api: Any, way: str) -> None:
    api, path = fresh_api, _call(fresh_api, way)
    before = len(api.get("/api/v1/executions")["executions"])
    api.recorder.sent.clear()
    api.recorder.down = True
    answers = [api.post(path, status=202, Idempotency_Key="k1") for _ in range(3)]
    assert len({answer["execution_id"] for answer in answers}) == 1 and answers[0]["status"] == "PENDING"
    assert len(api.get("/api/v1/executions")["executions"]) == before + 1
    _sweep(api)
    api.recorder.down = False
    assert _sweep(api)["redispatched_executions"] == 1 and len(api.recorder.sent) == 1
    assert api.recorder.sent[0][1][2] == answers[0]["execution_id"]
    # Sent once: neither a sweep nor a repeat sends it again.
    assert _sweep(api)["redispatched_executions"] == 0
    assert api.post(path, status=200, Idempotency_Key="k1")["execution_id"] == answers[0]["execution_id"]
    assert len(api.recorder.sent) == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_repeat_sends_what_the_first_call_could_not(fresh_api: Any, way: str) -> None:
    api, path = fresh_api, _call(fresh_api, way)
    api.recorder.sent.clear()
    api.recorder.down = True
    first = api.post(path, status=202, Idempotency_Key="k1")
    api.recorder.down = False
    assert api.post(path, status=200, Idempotency_Key="k1")["execution_id"] == first["execution_id"]
    assert [sent[1][2] for sent in api.recorder.sent] == [first["execution_id"]]
    assert api.post(path, status=200, Idempotency_Key="k1") and _sweep(api)["redispatched_executions"] == 0
    assert len(api.recorder.sent) == 1


def test_an_execution_that_waits_for_the_broker_can_be_stopped(api: Any) -> None:
    path = _call(api, "workflow")
    api.recorder.down = True
    waiting = api.post(path, status=202, Idempotency_Key="k1")["execution_id"]
    assert api.post(f"/api/v1/executions/{waiting}/stop")["outcome"] == "stopped"
    api.recorder.down = False
    assert api.post(path, status=200, Idempotency_Key="k1") == {"execution_id": waiting, "status": "STOPPED"}
    assert not [sent for sent in api.recorder.sent if sent[0] == "async_execute_bin"]


def test_a_broker_that_is_away_ends_the_execution(api: Any) -> None:
    api.recorder.down = True
    problem = api.post(f"/api/v1/workflows/{api.workflow()}/executions", {}, status=503)
    assert problem["code"] == "broker_unavailable"
    info = api.get(f"/api/v1/executions/{problem['execution_id']}")["execution"]
    assert info["status"] == "ERROR" and "could not be dispatched: broker unavailable" in info["error_message"]
