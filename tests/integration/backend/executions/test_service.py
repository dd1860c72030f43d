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


def test_a_broker_that_is_away_ends_the_execution(api: Any) -> None:
    api.recorder.down = True
    problem = api.post(f"/api/v1/workflows/{api.workflow()}/executions", {}, status=503)
    assert problem["code"] == "broker_unavailable"
    info = api.get(f"/api/v1/executions/{problem['execution_id']}")["execution"]
    assert info["status"] == "ERROR" and "could not be dispatched: broker unavailable" in info["error_message"]
