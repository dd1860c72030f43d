"""Keys of an organization: every route of the management API by every role, and by the keys of others."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from litestar.exceptions import WebSocketDisconnect

from docfleet.backend.http.roles import LEAST_ROLE
from docfleet.core.management.keys import Role
from tests.integration.backend.http.test_guard import dump
from tests.integration.walk import filled

KEYS_OF_CALLERS = "/api/v1/unstract/"
ROLES = list(Role)


class Route(NamedTuple):
    """A route of the management API, ``WEBSOCKET`` as its method where it is one."""

    method: str
    path: str

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


def management_routes(api: Any) -> Iterator[Route]:
    for route in api.client.app.routes:
        if route.path.startswith("/api/v1/") and not route.path.startswith(KEYS_OF_CALLERS):
            handlers = getattr(route, "route_handlers", [])
            methods = {method for handler in handlers for method in handler.http_methods} - {"OPTIONS"}
            yield from (Route(method, route.path_format) for method in sorted(methods or {"WEBSOCKET"}))


def call(api: Any, route: Route, key: str, organization: str | None = None) -> Any:
    named = {} if organization is None else {"X-Organization-ID": organization}
    headers = {"Authorization": f"Bearer {key}", **named}
    return api.client.request(route.method, filled(route.path), json={}, headers=headers)


def follows(api: Any, path: str, **options: Any) -> bool:
    """Whether a WebSocket is open to this caller."""
    try:
        with api.client.websocket_connect(path, **options) as socket:
            socket.receive_json(timeout=20)
    except WebSocketDisconnect:
        return False
    return True


def key_of(api: Any, role: Role | None) -> str:
    return str(api.key("platform", None, **({} if role is None else {"role": role})))


def test_every_route_of_the_management_api_has_its_least_role(api: Any) -> None:
    assert {route.name for route in management_routes(api)} == set(LEAST_ROLE)


@pytest.mark.parametrize("role", [*ROLES, None])
def test_a_key_opens_what_its_role_allows_and_nothing_else(api: Any, role: Role | None) -> None:
    api.run().ready(1)
    key = key_of(api, role)
    refused, opened = 0, 0
    for route in management_routes(api):
        least = LEAST_ROLE[route.name]
        if route.method == "WEBSOCKET":
            continue
        before = dump(api)
        answer = call(api, route, key, api.organization)
        if role is not None and least is not None and ROLES.index(role) >= ROLES.index(least):
            assert answer.status_code not in (401, 403), (route, answer.text)
            opened += 1
            continue
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (403, "forbidden"), (route, answer.text)
        if least is None:
            assert "INTERNAL_SERVICE_API_KEY" in problem["detail"]
        else:
            assert f"has the role {role}," in problem["detail"] if role else "has no role" in problem["detail"]
            assert f"docfleet keys create --role {least}" in problem["detail"]
        after = dump(api)
        assert {name: rows for name, rows in after.items() if name != "api_keys"} == {
            name: rows for name, rows in before.items() if name != "api_keys"
        }, route
        assert len(after["api_keys"]) == len(before["api_keys"]), route
        refused += 1
    assert (refused > 1) and (opened > 20 or role is None)


def test_another_organizations_key_gets_the_answer_of_a_wrong_key(api: Any) -> None:
    run, stranger = api.run().ready(1), api.other()
    admin = key_of(stranger, Role.ADMIN)
    before = dump(api)
    for route in management_routes(api):
        if route.method == "WEBSOCKET":
            continue
        wrong = call(api, route, "dfk_wrong", api.organization)
        for organization in (api.organization, f"missing-{uuid.uuid4().hex}"):
            answer = call(api, route, admin, organization)
            assert answer.status_code == wrong.status_code == 401, (route, answer.text)
            assert {**answer.json(), "instance": ""} == {**wrong.json(), "instance": ""}
            assert call(api, route, "wrong", organization).status_code == 401
    assert dump(api) == before and run.status == "EXECUTING"


def test_a_key_says_which_organization_it_means(api: Any) -> None:
    run = api.run().ready(1)
    api.other().run().ready(1)
    listed = call(api, Route("GET", "/api/v1/executions"), key_of(api, Role.VIEWER)).json()
    assert [row["id"] for row in listed["executions"]] == [run.id]
    slashed = call(api, Route("GET", "/api/v1/executions/"), key_of(api, Role.VIEWER)).json()
    assert slashed == listed


def test_a_key_of_an_organization_opens_nothing_beside_it(api: Any) -> None:
    admin = key_of(api, Role.ADMIN)
    before = dump(api)
    outside = (
        Route("GET", "/metrics"),
        Route("POST", "/internal/v1/sweep"),
        Route("GET", "/internal/v1/health"),
        Route("GET", "/api/v1/organizations"),
        Route("PUT", f"/api/v1/organizations/{api.organization}"),
    )
    for route in outside:
        answer = call(api, route, admin, api.organization)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (route, answer.text)
    after = dump(api)
    assert len(after.pop("api_keys")) == len(before.pop("api_keys")) and after == before


def test_a_key_that_ended_is_a_wrong_key(api: Any) -> None:
    route = Route("GET", "/api/v1/workflows")
    revoked, expired = key_of(api, Role.ADMIN), key_of(api, Role.ADMIN)
    assert call(api, route, revoked).status_code == call(api, route, expired).status_code == 200
    rows = {row["key_suffix"]: row["key_id"] for row in api.get("/api/v1/keys")["keys"]}
    api.post(f"/api/v1/keys/{rows[revoked[-4:]]}/revoke")
    api.write("UPDATE api_keys SET expires_at = 1 WHERE id = :k", k=rows[expired[-4:]])
    assert call(api, route, revoked).status_code == call(api, route, expired).status_code == 401
    invoices = api.publish()
    assert call(api, route, invoices.key, api.organization).status_code == 401


def test_an_admin_makes_keys_and_a_role_belongs_to_the_organization(api: Any) -> None:
    admin = {"Authorization": f"Bearer {key_of(api, Role.ADMIN)}"}
    made = api.client.post(
        "/api/v1/keys", json={"scope": "platform", "name": "who looks", "role": "viewer"}, headers=admin
    ).json()
    listed = api.client.get("/api/v1/keys", headers=admin)
    row = next(row for row in listed.json()["keys"] if row["key_id"] == made["key_id"])
    assert (row["role"], row["key_suffix"], row["name"]) == ("viewer", made["key"][-4:], "who looks")
    assert made["key"] not in listed.text
    api.publish()
    for scope, target in (("deployment", "invoices"), ("platform", "invoices")):
        body = {"scope": scope, "target": target, "name": "k", "role": "admin"}
        assert api.post("/api/v1/keys", body, status=400)["code"] == "invalid_input"
    api.post("/api/v1/keys", {"scope": "platform", "name": "k", "role": "root"}, status=400)


@pytest.mark.parametrize("role", [*ROLES, None])
def test_a_platform_key_of_any_role_describes_its_organization(api: Any, role: Role | None) -> None:
    me = call(api, Route("GET", f"{KEYS_OF_CALLERS}whoami"), key_of(api, role))
    assert (me.status_code, me.json()["organization_id"]) == (200, api.organization)


def test_a_live_log_opens_to_keys_of_its_organization_with_a_role(api: Any) -> None:
    run = api.run().ready(1)
    run.report(run.take())
    path = f"/api/v1/executions/{run.id}/events"
    stranger = key_of(api.other(), Role.ADMIN)
    opened = {role: key_of(api, role) for role in (*ROLES, None)}
    for role, key in opened.items():
        headers = {"Authorization": f"Bearer {key}"}
        assert follows(api, path, headers=headers) is (role is not None), role
        assert follows(api, path, headers={**headers, "X-Organization-ID": api.organization}) is (role is not None)
        assert follows(api, path, subprotocols=["docfleet", f"key.{key}"]) is (role is not None), role
    assert not follows(api, path, headers={"Authorization": f"Bearer {stranger}"})
    assert not follows(
        api, path, headers={"Authorization": f"Bearer {stranger}", "X-Organization-ID": api.organization}
    )


def test_the_key_of_metrics_opens_metrics_and_nothing_else(limited_api: Any) -> None:
    key = "metrics-key-of-forty-characters-01234567"
    api = limited_api(metrics_api_key=key)
    for given in (key, api.last.request.headers["authorization"].removeprefix("Bearer ")):
        answer = call(api, Route("GET", "/metrics"), given)
        assert answer.status_code == 200 and "docfleet_sweep" in answer.text
    assert call(api, Route("GET", "/metrics"), key + "x").status_code == 401
    for route in (*management_routes(api), Route("POST", "/internal/v1/sweep"), Route("GET", "/internal/v1/health")):
        if route.method != "WEBSOCKET":
            assert call(api, route, key, api.organization).status_code == 401, route


def test_without_a_key_of_metrics_only_the_internal_key_opens_them(api: Any) -> None:
    for key in ("", "None", "metrics"):
        assert call(api, Route("GET", "/metrics"), key).status_code == 401
