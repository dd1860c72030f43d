"""Workflows, executions, settings and credentials, as the command line uses them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import text

SECRET = "hunter2-is-not-a-good-password"


def _destination(**settings: Any) -> dict[str, Any]:
    return {"connector": "postgresql", "settings": {"host": "db", "password": SECRET} | settings, "table": "t"}


def test_applying_a_workflow_is_idempotent_by_name(api: Any) -> None:
    first = api.put("/api/v1/workflows", api.spec())
    assert (first["created"], first["changed"]) == (True, True)
    again = api.put("/api/v1/workflows/", api.spec())
    assert again == first | {"created": False, "changed": False}
    tools = [{"tool": "text_extractor"}, {"tool": "passthrough"}]
    changed = api.put("/api/v1/workflows", api.spec(tools=tools))
    assert changed == first | {"created": False, "changed": True}
    shown = api.get(f"/api/v1/workflows/{first['workflow_id']}")
    assert [step["tool"] for step in shown["tools"]] == ["text_extractor", "passthrough"]
    assert [workflow["name"] for workflow in api.get("/api/v1/workflows")["workflows"]] == ["invoices"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"source": {"connector": "floppy"}}, "floppy"),
        ({"source": {"connector": "local", "settings": {"pth": "/"}}}, "pth"),
        ({"source": {"connector": "local", "settings": {}}}, "path"),
        ({"source": {"connector": "sqlite", "settings": {"path": "/x.db"}}}, "sqlite"),
        ({"source": {"connector": "local", "settings": {"path": "/"}, "maxFile": 3}}, "maxFile"),
        ({"source": {"connector": "local", "settings": {"path": "/"}, "maxFiles": 0}}, "maxFiles"),
        ({"tools": [{"tool": "nothing_like_it"}]}, "nothing_like_it"),
        ({"tools": [{"tool": "passthrough", "settings": {"color": 1}}]}, "color"),
        ({"tools": []}, "tool"),
        ({"tools": {}}, "tools"),
        ({"source": 1}, "source"),
        ({"destination": {"connector": "sqlite", "settings": {"path": "/x.db"}, "table": "a b;"}}, "a b;"),
        ({"name": ""}, "name"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_workflow_is_refused_and_the_fault_is_named(api: Any, change: dict[str, Any], named: str) -> None:
    problem = api.put("/api/v1/workflows", api.spec(**change), status=400)
    assert problem["code"] == "invalid_input" and named in problem["detail"], problem
    assert api.last.headers["content-type"].startswith("application/problem+json")
    assert api.get("/api/v1/workflows")["workflows"] == []


def test_credentials_are_sealed_and_shown_to_workers_only(api: Any, capsys: pytest.CaptureFixture[str]) -> None:
    workflow = api.workflow(destination=_destination())
    run = api.run(workflow)
    with api.database.reading() as connection:
        sealed = connection.scalars(text("SELECT connector_metadata FROM connector_instances")).all()
    assert sealed and not any(SECRET in value for value in sealed)
    context = api.get(f"{run.path}/")
    assert context["destination_config"]["connector_settings"]["password"] == SECRET
    for path in (f"/api/v1/workflows/{workflow}", f"/api/v1/executions/{run.id}", "/api/v1/workflows"):
        assert SECRET not in str(api.get(path))
    bad = api.put("/api/v1/workflows", api.spec(destination=_destination(password=[SECRET])), status=400)
    assert SECRET not in str(bad)
    assert SECRET not in str(api.recorder.sent)
    captured = capsys.readouterr()
    assert SECRET not in captured.out + captured.err


def test_the_context_says_everything_a_worker_needs(api: Any) -> None:
    source = api.spec()["source"] | {"maxFiles": 7, "fileExtensions": ["*.pdf"], "fileProcessingOrder": "oldest_first"}
    run = api.run(api.workflow(source=source, description="d"))
    context = api.get(f"{run.path}/")
    assert context["execution"]["status"] == "PENDING" and context["execution"]["workflow_name"] == "invoices"
    assert context["workflow_definition"]["workflow_type"] == "ETL"
    assert context["source_config"]["connection_type"] == "FILESYSTEM"
    assert context["source_config"]["connector_settings"] == {"path": str(api.folder)}
    settings = context["source_config"]["source_settings"]
    assert (settings["maxFiles"], settings["fileExtensions"], settings["fileProcessingOrder"]) == (
        7,
        ["*.pdf"],
        "oldest_first",
    )
    assert context["destination_config"]["connection_type"] == "DATABASE"
    assert context["destination_config"]["settings"] == {"table": "rows"}
    assert [(tool["tool_id"], tool["step"]) for tool in context["tool_instances"]] == [("passthrough", 1)]
    assert context["organization_context"]["organization_id"] == api.organization
    assert context["use_file_history"] is True


def test_a_setting_of_the_organization_wins(api: Any) -> None:
    path = "/api/v1/settings/MAX_PARALLEL_FILE_BATCHES"
    assert api.get(path)["value"] is None
    api.put(path, {"value": 4})
    data = api.get("/internal/v1/configuration/MAX_PARALLEL_FILE_BATCHES/")["data"]
    assert (data["value"], data["has_organization_override"]) == (4, True)
    for wrong in (0, 101, "four", 4.5):
        api.put(path, {"value": wrong}, status=400)
    api.put(path, {"value": None})
    assert api.get(path)["has_organization_override"] is False
    api.get("/internal/v1/configuration/NO_SUCH_KEY/", status=400)


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


def test_executions_and_files_are_listed_in_pages(api: Any) -> None:
    workflow = api.workflow()
    runs = []
    for _ in range(5):
        runs.append(api.run(workflow).id)
        time.sleep(0.002)  # SQLite's clock counts milliseconds
    seen = []
    after = ""
    while True:
        answer = api.get(f"/api/v1/executions?workflow_id={workflow}&limit=2{after}")
        seen += [info["id"] for info in answer["executions"]]
        if answer["next"] is None:
            break
        after = f"&after={answer['next']}"
    assert seen == runs[::-1]
    run = api.run(workflow).ready(5)
    run.report(run.take(2), status="ERROR")
    numbers = []
    after = ""
    while True:
        answer = api.get(f"/api/v1/executions/{run.id}/files?limit=2{after}")
        numbers += [file["file_number"] for file in answer["files"]]
        if answer["next"] is None:
            break
        after = f"&after={answer['next']}"
    assert numbers == [1, 2, 3, 4, 5]
    failed = api.get(f"/api/v1/executions/{run.id}/files?status=ERROR")["files"]
    assert [file["error_code"] for file in failed] == ["tool_failed"] * 2
    assert [info["id"] for info in api.get("/api/v1/executions?status=EXECUTING")["executions"]] == [run.id]
    for wrong in ("limit=0", "limit=501", "after=-1", "status=DONE"):
        api.get(f"/api/v1/executions/{run.id}/files?{wrong}", status=400)


def test_the_originals_endpoints_answer(api: Any) -> None:
    workflow = api.workflow()
    root = "/internal/v1"
    definition = api.get(f"{root}/workflow-manager/workflow/{workflow}/")
    assert definition["workflow_type"] == "ETL"
    assert definition["source_config"]["connector_instance"]["connector_metadata"] == {"path": str(api.folder)}
    endpoints = api.get(f"{root}/workflow-manager/{workflow}/endpoint/")
    assert endpoints["has_api_endpoints"] is False
    assert endpoints["destination_endpoint"]["configuration"] == {"table": "rows"}
    steps = api.get(f"{root}/workflow-manager/workflow/{workflow}/tool-instances/")["tool_instances"]
    ids = [step["id"] for step in steps]
    valid = api.post(f"{root}/tool-execution/validate/", {"workflow_id": workflow, "tool_instances": ids})
    assert valid["success"] is True and valid["validated_instances"][0]["status"] == "valid"
    wrong = api.post(f"{root}/tool-execution/validate/", {"workflow_id": workflow, "tool_instances": ["x"]})
    assert wrong["success"] is False and wrong["errors"]
    assert api.get(f"{root}/tool-execution/tool/passthrough/")["tool"]["properties"]
    assert "error" in api.get(f"{root}/tool-execution/tool/unknown/")["tool"]
    assert api.get(f"{root}/health/")["status"] == "healthy"
    assert api.post(f"{root}/usage/batch/", {"records": []}) == {"created": 0}
    record = {"run_id": "r1", "adapter_instance_id": "a", "total_tokens": 5, "cost_in_dollars": 0.5}
    assert api.post(f"{root}/usage/batch/", {"records": [record, record]}, status=201) == {"created": 2}
    usage = api.get(f"{root}/usage/aggregated-token-count/r1/")["data"]["usage"]
    assert (usage["total_tokens"], usage["cost_in_dollars"]) == (10, 1.0)


def test_files_of_the_originals_workers(api: Any) -> None:
    run = api.run()
    body = {"execution_id": run.id, "file_hash": {"file_name": "a", "file_path": "p/a", "fs_metadata": None}}
    created = api.post("/internal/v1/file-execution/", body, status=201)
    assert api.post("/internal/v1/file-execution/", body, status=201) == created
    assert (created["status"], created["file_number"]) == ("PENDING", 1)
    found = api.get(f"/internal/v1/file-execution/?execution_id={run.id}&file_path=p/a")
    assert [row["id"] for row in found] == [created["id"]]
    path = f"/internal/v1/file-execution/{created['id']}"
    assert api.get(path)["file_name"] == "a"
    assert api.post(f"{path}/status/", {"status": "EXECUTING"})["status"] == "updated"
    assert api.post(f"{path}/status/", {"status": "EXECUTING"})["status"] == "updated"
    assert api.post(f"{path}/status/", {"status": "ERROR", "error_message": "why"})["status"] == "updated"
    late = api.post(f"{path}/status/", {"status": "COMPLETED"})
    assert (late["status"], late["reason"]) == ("skipped", "already_final")
    assert api.get(path)["execution_error"] == "why"


def test_status_updates_of_the_originals_workers(api: Any) -> None:
    run = api.run().ready(2)
    path = f"{run.path}/update_status/"
    assert api.post(path, {"status": "EXECUTING"})["status"] == "updated"
    assert api.post(path, {"status": "COMPLETED"}) == {
        "status": "skipped",
        "reason": "files_open",
        "execution_id": run.id,
        "new_status": "EXECUTING",
    }
    for wrong in (
        {"status": "DONE"},
        {"status": "COMPLETED", "successful_files": 1},
        {"status": "COMPLETED", "total_files": 1, "successful_files": 1, "failed_files": 1},
        {"status": "EXECUTING", "cascade_terminal_files": True},
    ):
        api.post(path, wrong, status=400)
    done = api.post(path, {"status": "COMPLETED", "total_files": 9, "cascade_terminal_files": True})
    assert done["status"] == "updated"
    info = run.state()["execution"]
    assert (info["status"], info["total_files"], info["successful_files"]) == ("COMPLETED", 2, 2)
    late = api.post(path, {"status": "ERROR", "error_message": "late"})
    assert (late["status"], late["reason"]) == ("skipped", "already_final")
    assert run.state()["execution"]["error_message"] == ""
    api.post(
        f"/internal/v1/workflow-execution/{'0' * 8}-0000-0000-0000-{'0' * 12}/update_status/",
        {"status": "ERROR"},
        status=404,
    )


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
