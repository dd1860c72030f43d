"""Pipelines: their keys, and how their runs ended."""

from __future__ import annotations

import uuid
from typing import Any

from tests.integration.backend.keys_of_callers import call_with_key


def test_a_pipeline_is_deleted_with_its_keys(api: Any) -> None:
    api.workflow()
    first = api.put("/api/v1/pipelines", {"name": "nightly", "workflow": "invoices"})
    listed = api.get("/api/v1/pipelines")["pipelines"]
    assert [(row["name"], row["workflow"]) for row in listed] == [("nightly", "invoices")]
    key = api.key("pipeline", "nightly")
    trigger = lambda: api.client.post(first["url"], headers={"Authorization": f"Bearer {key}"}).status_code  # noqa: E731
    assert trigger() == 200
    path = f"/api/v1/pipelines/{first['pipeline_id']}"
    api.other().call("DELETE", path, status=404)
    assert api.call("DELETE", path) == {"pipeline_id": first["pipeline_id"], "deleted": True}
    assert trigger() == 401, "its key went with it"
    assert api.get("/api/v1/keys")["keys"] == []
    api.call("DELETE", path, status=404)
    assert len(api.get("/api/v1/executions")["executions"]) == 1, "its executions stay"


def test_a_pipeline_is_triggered_by_its_own_key(api: Any) -> None:
    api.workflow()
    body = {"name": "nightly", "workflow": "invoices"}
    first = api.put("/api/v1/pipelines", body)
    assert first["created"] is True and api.put("/api/v1/pipelines", body)["changed"] is False
    key, path = api.key("pipeline", "nightly"), first["url"]
    answer = call_with_key(api, "POST", path, key)
    assert answer.status_code == 200 and answer.json()["message"] == "Triggered nightly"
    task, args, kwargs, queue = api.recorder.sent[-1]
    assert (task, queue, kwargs["pipeline_id"]) == ("async_execute_bin", "celery", first["pipeline_id"])
    assert args[3] == {}
    assert call_with_key(api, "POST", path, None).status_code == 403
    assert call_with_key(api, "POST", path, "wrong").status_code == 401
    for unknown in (str(uuid.uuid4()), "no-uuid"):
        assert (
            call_with_key(api, "POST", f"/deployment/pipeline/api/{api.organization}/{unknown}/", key).status_code
            == 404
        )
    sent = len(api.recorder.sent)
    assert api.put("/api/v1/pipelines?dry_run=true", {**body, "active": False}) == {
        "created": False,
        "changed": ["active"],
    }
    assert call_with_key(api, "POST", path, key).status_code == 200
    api.put("/api/v1/pipelines", {**body, "active": False})
    assert call_with_key(api, "POST", path, key).status_code == 422 and len(api.recorder.sent) == sent + 1


def test_a_pipeline_learns_how_its_run_ended(api: Any) -> None:
    workflow, pipeline = api.workflow(), "7b8a2f9e-0000-4000-8000-" + api.organization[-12:]
    api.write(
        "INSERT INTO pipelines (id, organization_id, workflow_id, pipeline_name, pipeline_type, active, run_count, "
        "created_at, modified_at) VALUES (:p, :o, :w, 'nightly', 'ETL', :t, 0, 0, 0)",
        p=pipeline,
        o=api.organization,
        w=workflow,
        t=True,
    )
    body = {"workflow_id": workflow, "pipeline_id": pipeline}
    execution = api.post("/internal/v1/workflow-manager/execution/create/", body)["execution_id"]
    run = type(api.run(workflow))(api, execution).ready(2)
    held = run.take(2)
    run.report(outcomes=[api.outcome(held[0]), api.outcome(held[1], "ERROR")])
    shown = api.get(f"/internal/v1/pipeline/{pipeline}/?check_active=true")["pipeline"]
    assert (shown["last_run_status"], shown["run_count"]) == ("PARTIAL_SUCCESS", 1)
    api.put(f"/internal/v1/pipeline/{pipeline}/", {"status": "PAUSED", "is_end": False})
    assert api.get(f"/internal/v1/pipeline/{pipeline}/")["pipeline"]["last_run_status"] == "PAUSED"
    api.write("UPDATE pipelines SET active = :f WHERE id = :p", f=False, p=pipeline)
    api.get(f"/internal/v1/pipeline/{pipeline}/?check_active=true", status=404)


SWEEP = "/internal/v1/sweep/"


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
