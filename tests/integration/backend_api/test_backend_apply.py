"""Applying workflows, deployments and pipelines: what a dry run says is what would happen."""

from __future__ import annotations

import json
from typing import Any

import pytest

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
    assert trigger() == 404
    assert api.get("/api/v1/keys")["keys"] == []
    api.call("DELETE", path, status=404)
    assert len(api.get("/api/v1/executions")["executions"]) == 1, "its executions stay"


def test_what_runs_while_its_workflow_changes_leaves_no_answer_for_later_calls(api: Any) -> None:
    invoices = api.publish()
    run = invoices.call(("a.txt", b"one"), use_file_history="true")
    ends = {"source": {"connector": "api"}, "destination": {"connector": "api"}, "name": "w-invoices"}
    api.workflow(**ends, tools=[{"tool": "passthrough", "settings": {"copy": False}}])
    invoices.work(run)
    later = invoices.call(("a.txt", b"one"), use_file_history="true")
    invoices.work(later)
    assert "from_file_history" not in invoices.get(later)["message"][0]["metadata"]
    again = invoices.call(("a.txt", b"one"), use_file_history="true")
    assert invoices.work(again)["reason"] in ("nothing_open", "already_final")
    assert invoices.get(again)["message"][0]["metadata"]["from_file_history"] is True


def test_known_content_is_known_in_its_own_organization_only(api: Any) -> None:
    here, other = api.publish(), api.other()
    there = other.publish()
    here.work(here.call(("a.txt", b"one"), use_file_history="true"))
    run = there.call(("a.txt", b"one"), use_file_history="true")
    there.work(run)
    assert "from_file_history" not in there.get(run)["message"][0]["metadata"]


@pytest.mark.parametrize("name", ["", " ", "nightly ", "\tnightly", "nightly\n", "night\nly", "n" * 201])
def test_a_name_has_something_to_see_and_no_blanks_around_it(api: Any, name: str) -> None:
    api.workflow()
    pipeline = {"name": "nightly", "workflow": "invoices"}
    bodies = {
        "workflows": api.spec(),
        "pipelines": pipeline,
        "notifications": {"pipeline": "nightly", "provider": "console", "settings": {}},
        "keys": {"scope": "platform"},
    }
    api.put("/api/v1/pipelines", pipeline)
    for kind, body in bodies.items():
        send = api.post if kind == "keys" else api.put
        refused = send(f"/api/v1/{kind}", {**body, "name": name}, status=400)
        assert refused["detail"].startswith("name: Expected") and "regex" not in refused["detail"], refused
