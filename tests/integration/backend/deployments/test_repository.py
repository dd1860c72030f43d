"""Deployments: an API publishes a workflow of its kind."""

from __future__ import annotations

from typing import Any


def test_a_deployment_needs_a_workflow_of_its_kind(api: Any) -> None:
    api.workflow()
    problem = api.put("/api/v1/deployments", {"api_name": "x", "workflow": "invoices"}, status=400)
    assert "connector `api`" in problem["detail"]
    api.put("/api/v1/deployments", {"api_name": "x", "workflow": "nothing"}, status=404)
    api.put("/api/v1/deployments", {"api_name": "a/b", "workflow": "invoices"}, status=400)
    invoices = api.publish()
    api.put("/api/v1/deployments", {"api_name": "second", "workflow": "w-invoices"}, status=409)
    api.put("/api/v1/pipelines", {"name": "p", "workflow": "w-invoices"}, status=400)
    api.put("/api/v1/workflows", api.spec(name="w-invoices"), status=400)
    api.put("/api/v1/workflows", api.spec(name="half", source={"connector": "api"}), status=400)
    one = api.spec(name="x", source={"connector": "api", "settings": {"a": 1}}, destination={"connector": "api"})
    api.put("/api/v1/workflows", one, status=400)
    workflow = api.get(f"/api/v1/deployments/{invoices.id}")["workflow_id"]
    api.post(f"/api/v1/workflows/{workflow}/executions", {}, status=400)
    assert api.get(f"/api/v1/workflows/{workflow}")["source"] == {"connector": "api", "settings": {}}
    run = invoices.call(("a.txt", b"one"))
    assert api.call("DELETE", f"/api/v1/deployments/{invoices.id}")["deleted"] is True
    invoices.get(run, status=401)
    assert api.get("/api/v1/keys")["keys"] == [], "its key went with it"
