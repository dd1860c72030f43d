"""Errors: one shape for each API, and nothing of the inside is shown."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.integration.backend.keys_of_callers import call_with_key


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
        (f"/deployment/api/other/{invoices.name}", invoices.key, 401, "authentication_failed"),
    ]
    for path, key, status, code in cases:
        for method in ("GET", "POST"):
            for slash in (path.rstrip("/"), path.rstrip("/") + "/"):
                answer = call_with_key(api, method, slash, key)
                assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code), (method, path)
                assert answer.json()["type"] == "client_error" and answer.json()["errors"][0]["detail"]
    better = call_with_key(api, "GET", invoices.path, "wrong", headers={"Accept": "application/vnd.docfleet+json"})
    assert better.headers["content-type"].startswith("application/problem+json") and better.json()["status"] == 401
    body = {"api_name": "invoices", "workflow": "w-invoices", "is_active": False}
    assert api.put("/api/v1/deployments", body)["changed"] is True
    assert call_with_key(api, "POST", invoices.path, invoices.key).status_code == 404


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


_CLAIM = {"owner": "w", "lease_seconds": 1, "limit": 1}


def test_errors_have_one_shape(api: Any) -> None:
    run = api.run()
    cases = [
        ("GET", "/nothing/here", None, 404, "not_found"),
        ("DELETE", "/api/v1/workflows", None, 405, "method_not_allowed"),
        ("GET", "/api/v1/executions/not-a-uuid", None, 404, "not_found"),
        ("POST", f"{run.path}/files/claim/", {"owner": "w"}, 400, "invalid_input"),
        ("POST", f"{run.path}/files/claim/", _CLAIM | {"limit": 0}, 400, "invalid_input"),
        ("POST", f"{run.path}/files/claim/", _CLAIM | {"lease_seconds": -1}, 400, "invalid_input"),
        ("POST", f"{run.path}/files/claim/", _CLAIM | {"batch_index": 2, "batch_count": 2}, 400, "invalid_input"),
        ("POST", f"{run.path}/files/register/", {"page": 0, "files": []}, 400, "invalid_input"),
        ("POST", f"{run.path}/start/", {"batch_count": 0}, 400, "invalid_input"),
        ("POST", f"{run.path}/files/report/", {"owner": "", "lease_seconds": 1}, 400, "invalid_input"),
        ("POST", f"{run.path}/files/register/", {"page": 2**70, "files": []}, 400, "invalid_input"),
        ("POST", f"{run.path}/files/claim/", _CLAIM | {"batch_count": 2**80}, None, None),
        ("GET", f"/api/v1/executions/{run.id}/files?after={2**70}", None, 400, "invalid_input"),
        ("PUT", "/api/v1/organizations/..%2Fevil", {"name": "x"}, None, None),
        ("PUT", "/api/v1/organizations/-x", {"name": "x"}, 400, "invalid_input"),
        ("GET", f"/api/v1/executions/{uuid.uuid4()}", None, 404, "not_found"),
    ]
    for method, path, body, status, code in cases:
        answer = api.call(method, path, body, status=status)
        assert api.last.status_code < 500, path
        if api.last.is_success and code is None:
            continue
        assert api.last.headers["content-type"].startswith("application/problem+json"), path
        assert set(answer) >= {"type", "title", "status", "detail", "code", "instance"}
        assert answer["status"] == api.last.status_code >= 400
        assert code is None or answer["code"] == code
        assert "Traceback" not in api.last.text


def test_a_body_that_is_no_json_is_refused(api: Any) -> None:
    run = api.run()
    for content in (b'{"ow', b"\xff\xfe", b"[]", b"null", b"1"):
        response = api.client.post(
            f"{run.path}/files/claim/",
            content=content,
            headers={
                "Authorization": api.last.request.headers["authorization"],
                "X-Organization-ID": api.organization,
                "Content-Type": "application/json",
            },
        )
        assert response.status_code == 400 and response.json()["code"] == "invalid_input", content


def test_a_crash_shows_no_inside(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from docfleet.backend.workflows import repository

    def crash(*_: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(repository, "find", crash)
    problem = api.get(f"/api/v1/workflows/{uuid.uuid4()}", status=500)
    assert problem["code"] == "internal_error" and "secret" not in str(problem)


def test_a_value_that_is_not_allowed_is_answered_with_those_that_are(api: Any) -> None:
    endpoint: dict[str, Any] = {"connector": "sqlite", "settings": {}}
    body = {"name": "w", "source": endpoint, "tools": [], "destination": endpoint | {"onChange": "update"}}
    expected = "destination.onChange: Invalid enum value 'update': use one of append, replace"
    assert api.put("/api/v1/workflows", body, status=400)["detail"] == expected
    refused = api.get("/api/v1/executions?status=BEGUN", status=400)["detail"]
    assert refused.startswith("status: Invalid enum value 'BEGUN': use one of COMPLETED, ERROR, EXECUTING")
