"""Keys of callers: who is let in where, and what the answers look like."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text


def _call(api: Any, method: str, path: str, key: str | None, **more: Any) -> Any:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return api.client.request(method, path, headers=headers | more.pop("headers", {}), **more)


def _kept(api: Any) -> str:
    with api.database.reading() as connection:
        return str([tuple(row) for row in connection.execute(text("SELECT * FROM api_keys"))])


def test_a_key_is_shown_once_and_kept_as_a_hash(api: Any) -> None:
    key = api.publish().key
    shown = api.get("/api/v1/keys")["keys"][0]
    assert shown["scope"] == "deployment" and shown["target"] == "invoices" and shown["key_prefix"] == key[:8]
    assert key not in str(shown) and key not in _kept(api) and len(key) > 40


def test_every_refusal_has_its_status_and_the_standard_body(api: Any) -> None:
    invoices, letters = api.publish(), api.publish("letters")
    unknown = f"/deployment/api/{api.organization}/nothing/"
    platform = api.key("platform", None)
    cases = [
        (invoices.path, None, 403, "permission_denied"),
        (invoices.path, " ", 403, "permission_denied"),
        (invoices.path, "wrong", 401, "authentication_failed"),
        (invoices.path, letters.key, 401, "authentication_failed"),
        (invoices.path, platform, 401, "authentication_failed"),
        (unknown, invoices.key, 404, "not_found"),
        (f"/deployment/api/other/{invoices.name}", invoices.key, 404, "not_found"),
    ]
    for path, key, status, code in cases:
        for method in ("GET", "POST"):
            for slash in (path.rstrip("/"), path.rstrip("/") + "/"):
                answer = _call(api, method, slash, key)
                assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code), (method, path)
                assert answer.json()["type"] == "client_error" and answer.json()["errors"][0]["detail"]
    better = _call(api, "GET", invoices.path, "wrong", headers={"Accept": "application/vnd.docfleet+json"})
    assert better.headers["content-type"].startswith("application/problem+json") and better.json()["status"] == 401
    body = {"api_name": "invoices", "workflow": "w-invoices", "is_active": False}
    assert api.put("/api/v1/deployments", body)["changed"] is True
    assert _call(api, "POST", invoices.path, invoices.key).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD"])
def test_a_method_that_is_not_taken_is_refused_in_the_shape_of_the_route(api: Any, method: str) -> None:
    path = api.publish().path
    answer = api.client.request(method, path)
    assert answer.status_code == 405 and set(answer.headers["allow"].split(", ")) >= {"GET", "POST"}
    if method != "HEAD":
        assert answer.json() == {
            "type": "client_error",
            "errors": [{"code": "method_not_allowed", "detail": "Method Not Allowed", "attr": None}],
        }
        assert api.client.request(method, path + "?compat=false").json()["status"] == 405
        assert set(api.client.request(method, "/api/v1/unstract/whoami/").json()) == {"message"}
        assert api.client.request(method, "/livez").json()["status"] == 405
    assert api.client.get("/deployment/nothing/here/at/all").json()["errors"][0]["code"] == "not_found"


def test_a_revoked_and_an_expired_key_open_nothing(api: Any) -> None:
    invoices = api.publish()
    soon = (datetime.now(UTC) + timedelta(seconds=60)).isoformat()
    second = api.key("deployment", "invoices", expires_at=soon)
    run = invoices.call(("a.txt", b"one"))
    assert invoices.get(run, key=second, status=422)["status"] == "PENDING"
    api.write("UPDATE api_keys SET expires_at = 1 WHERE expires_at IS NOT NULL")
    invoices.get(run, key=second, status=401)
    key_id = api.get("/api/v1/keys")["keys"][0]["key_id"]
    assert api.post(f"/api/v1/keys/{key_id}/revoke")["revoked"] is True
    assert api.post(f"/api/v1/keys/{key_id}/revoke")["revoked"] is False
    invoices.get(run, status=401)
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    api.post("/api/v1/keys", {"scope": "platform", "name": "k", "expires_at": past}, status=400)


def test_the_last_use_is_noted(api: Any) -> None:
    invoices = api.publish()
    assert api.get("/api/v1/keys")["keys"][0]["last_used_at"] is None
    invoices.get(str(uuid.uuid4()), status=404)
    used = datetime.fromisoformat(api.get("/api/v1/keys")["keys"][0]["last_used_at"]).timestamp()
    assert abs(used - time.time()) < 60


def test_a_platform_key_describes_its_organization_and_no_other(api: Any) -> None:
    for name in ("invoices", "letters", "reports"):
        api.publish(name)
    platform = api.key("platform", None)
    root = "/api/v1/unstract"
    me = _call(api, "GET", f"{root}/whoami/", platform).json()
    assert me == {
        "organization_id": api.organization,
        "organization_name": "Test",
        "permission": "read",
        "key_name": "k",
    }
    page = _call(api, "GET", f"{root}/{api.organization}/api/deployment/?page_size=2&search=e", platform).json()
    assert (page["count"], page["previous"]) == (3, None)
    assert [row["api_name"] for row in page["results"]] == ["invoices", "letters"]
    following = _call(api, "GET", page["next"], platform).json()
    assert [row["api_name"] for row in following["results"]] == ["reports"] and following["next"] is None
    one = _call(api, "GET", f"{root}/{api.organization}/api/deployment/?api_name=letters", platform).json()
    assert one["count"] == 1 and one["results"][0]["api_endpoint"].endswith("/letters/")
    other = api.other()
    for path, key, status in (
        (f"{root}/{other.organization}/api/deployment/", platform, 403),
        (f"{root}/whoami/", "wrong", 401),
        (f"{root}/whoami/", None, 401),
        (f"{root}/whoami/", api.key("deployment", "invoices"), 401),
        (f"{root}/{api.organization}/api/deployment/?page=9", platform, 404),
        (f"{root}/{api.organization}/api/deployment/?page=x", platform, 400),
        (f"{root}/{api.organization}/api/deployment/?ordering=secret", platform, 400),
    ):
        answer = _call(api, "GET", path, key)
        assert answer.status_code == status and set(answer.json()) == {"message"}, (path, answer.text)


def test_a_pipeline_is_triggered_by_its_own_key(api: Any) -> None:
    api.workflow()
    body = {"name": "nightly", "workflow": "invoices"}
    first = api.put("/api/v1/pipelines", body)
    assert first["created"] is True and api.put("/api/v1/pipelines", body)["changed"] is False
    key, path = api.key("pipeline", "nightly"), first["url"]
    answer = _call(api, "POST", path, key)
    assert answer.status_code == 200 and answer.json()["message"] == "Triggered nightly"
    task, args, kwargs, queue = api.recorder.sent[-1]
    assert (task, queue, kwargs["pipeline_id"]) == ("async_execute_bin", "celery", first["pipeline_id"])
    assert args[3] == {}
    assert _call(api, "POST", path, None).status_code == 403
    assert _call(api, "POST", path, "wrong").status_code == 401
    for unknown in (str(uuid.uuid4()), "no-uuid"):
        assert _call(api, "POST", f"/deployment/pipeline/api/{api.organization}/{unknown}/", key).status_code == 404
    sent = len(api.recorder.sent)
    assert api.put("/api/v1/pipelines?dry_run=true", {**body, "active": False}) == {
        "created": False,
        "changed": ["active"],
    }
    assert _call(api, "POST", path, key).status_code == 200
    api.put("/api/v1/pipelines", {**body, "active": False})
    assert _call(api, "POST", path, key).status_code == 422 and len(api.recorder.sent) == sent + 1


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


def test_a_deployment_needs_a_workflow_of_its_kind(api: Any) -> None:
    api.workflow()
    problem = api.put("/api/v1/deployments", {"api_name": "x", "workflow": "invoices"}, status=400)
    assert "connector `api`" in problem["detail"]
    api.put("/api/v1/deployments", {"api_name": "x", "workflow": "nothing"}, status=400)
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
    invoices.get(run, status=404)
    assert api.get("/api/v1/keys")["keys"] == []


@pytest.mark.parametrize("spec", [{"manual_review": {"review_percentage": 50}}])
def test_review_is_refused_with_its_reason(api: Any, spec: dict[str, Any]) -> None:
    invoices = api.publish(**spec)
    answer = invoices.post(("a.txt", b"one"), status=422)
    assert "review" in answer["errors"][0]["detail"]
    assert not [path for path in (api.folder / "storage" / api.organization).rglob("*") if path.is_file()]


def test_what_a_call_may_answer_is_described(api: Any) -> None:
    invoices = api.publish()
    described = api.client.get("/schema/openapi.json").json()["paths"]["/deployment/api/{org_name}/{api_name}"]
    invoices.post(("a.txt", b"a"), query="?compat=false", status=202)
    run = invoices.last.json()["message"]["execution_id"]
    for method in ("get", "post"):
        assert "compat" in {parameter["name"] for parameter in described[method]["parameters"]}
        assert "202" in described[method]["responses"]
    invoices.get(run, status=202, compat="false")
