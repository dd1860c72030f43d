"""Workflows are applied by name; a dry run says what would happen, and credentials are encrypted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import text

POSTGRES = {
    "connector": "postgresql",
    "settings": {"host": "h", "database": "d", "user": "u", "password": "hunter2"},
    "table": "t",
}


def _plan(api: Any, spec: dict[str, Any]) -> Any:
    return api.put("/api/v1/workflows?dry_run=true", spec)


def test_a_plan_shows_fields_before_and_after_without_their_defaults_as_changes(api: Any) -> None:
    spec = api.spec(tools=[{"tool": "text_extractor", "settings": {"max_pages": 5}}], description="old")
    api.put("/api/v1/workflows", spec)
    planned = _plan(api, {**spec, "tools": [{"tool": "text_extractor"}], "description": ""})
    assert planned["changed"] == ["description", "tools"]
    assert (planned["before"]["description"], planned["after"]["description"]) == ("old", "")
    before, after = planned["before"]["tools"][0], planned["after"]["tools"][0]
    assert (before["tool"], before["version"]) == (after["tool"], after["version"])
    different = {key for key in before["settings"] if before["settings"][key] != after["settings"].get(key)}
    assert different == {"max_pages"}


def test_a_plan_says_that_a_secret_changes_and_not_which(api: Any) -> None:
    spec = api.spec(destination=POSTGRES)
    api.put("/api/v1/workflows", spec)
    assert _plan(api, spec)["changed"] == []
    secret = {**POSTGRES, "settings": {**POSTGRES["settings"], "password": "hunter3"}}  # type: ignore[dict-item]
    planned = _plan(api, api.spec(destination=secret))
    assert planned["changed"] == ["destination"]
    assert planned["before"]["destination"]["settings"]["password"] == "********"
    assert planned["after"]["destination"]["settings"]["password"] == "******** (changed)"
    assert "hunter" not in json.dumps(planned)
    host = {**POSTGRES, "settings": {**POSTGRES["settings"], "host": "i"}}  # type: ignore[dict-item]
    planned = _plan(api, api.spec(destination=host))
    assert planned["before"]["destination"]["settings"] | {"host": "i"} == planned["after"]["destination"]["settings"]


def test_a_dry_run_refuses_what_applying_would_refuse_and_names_the_way_out(api: Any) -> None:
    api.workflow()
    pipeline = api.put("/api/v1/pipelines", {"name": "nightly", "workflow": "invoices"})
    ends = {"source": {"connector": "api"}, "destination": {"connector": "api"}}
    for path in ("/api/v1/workflows", "/api/v1/workflows?dry_run=true"):
        refused = api.put(path, api.spec(**ends), status=400)
        assert f"DELETE /api/v1/pipelines/{pipeline['pipeline_id']}" in refused["detail"]
    api.publish("one", name="w")
    renamed = {"api_name": "two", "workflow": "w"}
    for path in ("/api/v1/deployments", "/api/v1/deployments?dry_run=true"):
        refused = api.put(path, renamed, status=409)
        way = refused["detail"].partition("DELETE ")[2].split()[0]
        assert way.startswith("/api/v1/deployments/")
    api.call("DELETE", way)
    assert api.put("/api/v1/deployments", renamed)["created"] is True


def test_a_dry_run_names_what_would_change_and_writes_nothing(api: Any) -> None:
    ends = {"source": {"connector": "api"}, "destination": {"connector": "api"}, "name": "w"}
    spec = api.spec(**ends)
    nothing = {"changed": [], "before": {}, "after": {}}
    assert api.put("/api/v1/workflows?dry_run=true", spec) == {"created": True, **nothing}
    assert api.get("/api/v1/workflows")["workflows"] == []
    api.put("/api/v1/workflows", spec)
    assert api.put("/api/v1/workflows?dry_run=true", spec) == {"created": False, **nothing}
    changed = {**spec, "description": "x", "tools": [{"tool": "text_extractor"}]}
    planned = api.put("/api/v1/workflows?dry_run=true", changed)
    assert (planned["created"], planned["changed"]) == (False, ["description", "tools"])
    assert (planned["before"]["description"], planned["after"]["description"]) == ("", "x")
    assert api.put("/api/v1/workflows", spec)["changed"] is False
    etl = api.spec()
    api.put("/api/v1/workflows", etl)
    elsewhere = {**etl, "source": {"connector": "local", "settings": {"path": "/elsewhere"}}}
    assert api.put("/api/v1/workflows?dry_run=true", elsewhere)["changed"] == ["source"]
    body = {"api_name": "one", "workflow": "w"}
    assert api.put("/api/v1/deployments?dry_run=true", body) == {"created": True, "changed": []}
    assert api.get("/api/v1/deployments")["deployments"] == []
    assert api.put("/api/v1/deployments", body)["created"] is True
    assert api.put("/api/v1/deployments", body) | {"url": "", "deployment_id": ""} == {
        "deployment_id": "",
        "created": False,
        "changed": False,
        "url": "",
    }
    described = {**body, "description": "d"}
    assert api.put("/api/v1/deployments?dry_run=true", described)["changed"] == ["description"]


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
        encrypted = connection.scalars(text("SELECT connector_metadata FROM connector_instances")).all()
    assert encrypted and not any(SECRET in value for value in encrypted)
    context = api.get(f"{run.path}/")
    assert context["destination_config"]["connector_settings"]["password"] == SECRET
    for path in (f"/api/v1/workflows/{workflow}", f"/api/v1/executions/{run.id}", "/api/v1/workflows"):
        assert SECRET not in str(api.get(path))
    bad = api.put("/api/v1/workflows", api.spec(destination=_destination(password=[SECRET])), status=400)
    assert SECRET not in str(bad)
    assert SECRET not in str(api.recorder.sent)
    captured = capsys.readouterr()
    assert SECRET not in captured.out + captured.err
