"""Every route of the backend requires a key of its kind but those listed here; revoked keys open nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from docfleet.backend.tables.schema import metadata
from tests.integration.walk import filled, routes


def test_a_key_that_is_rotated_out_still_opens(api: Any) -> None:
    headers = {
        "Authorization": "Bearer old-key-that-is-being-rotated-out-0123456",
        "X-Organization-ID": api.organization,
    }
    assert api.client.get("/api/v1/workflows", headers=headers).status_code == 200


OPEN = {"/livez", "/readyz", "/schema", "/schema/openapi.json", "/schema/openapi.yaml", "/schema/openapi.yml"}
"""What needs no key. Whoever adds a route here says why in SECURITY.md."""
KEY = "runner-key-of-forty-characters-0123456789"
WRONG = ("", "Bearer", "Bearer ", "Bearer wrong", "Basic eDp5", "Bearer " + "x" * 100_000)


def dump(api: Any) -> dict[str, list[Any]]:
    with api.database.reading() as connection:
        return {
            table.name: sorted(tuple(map(repr, row)) for row in connection.execute(select(table)))
            for table in metadata.sorted_tables
        }


def test_every_route_of_the_backend_wants_a_key_of_its_own_kind(api: Any) -> None:
    run = api.run().ready(2)
    invoices = api.publish()
    before = dump(api)
    walked, opened = 0, set()
    for method, path in routes(api.client.app):
        for header in (*WRONG[:-1], f"Bearer {invoices.key}x", f"Bearer {KEY}"):
            headers = {"X-Organization-ID": api.organization, **({"Authorization": header} if header else {})}
            where = filled(path).replace("/deployment/api/" + filled(path).split("/")[-2], "/deployment/api/x")
            answer = api.client.request(method, where, json={}, headers=headers)
            if answer.status_code < 400:
                opened.add(path.rstrip("/") or "/")
                continue
            expected = (401, 403, 404) if path.startswith("/deployment/") or path in OPEN else (401, 403)
            if not path.startswith("/schema"):
                assert answer.status_code in expected, (method, path, header[:30], answer.text)
            walked += 1
    assert opened <= OPEN, opened - OPEN
    assert walked > 200 and dump(api) == before
    assert run.status == "EXECUTING"


def test_a_caller_s_key_opens_nothing_but_its_api(api: Any) -> None:
    invoices = api.publish()
    before = dump(api)
    for method, path in routes(api.client.app):
        if path.startswith(("/deployment/", "/schema")) or path in OPEN:
            continue
        headers = {"X-Organization-ID": api.organization, "Authorization": f"Bearer {invoices.key}"}
        answer = api.client.request(method, filled(path), json={}, headers=headers)
        assert answer.status_code in (401, 403), (method, path, answer.text)
    assert dump(api) == before


def test_two_keys_are_valid_during_a_rotation_and_one_after_it(limited_api: Any, api: Any) -> None:
    old, new = "old-key-that-is-being-rotated-out-0123456", api.last.request.headers["authorization"][7:]

    def status(backend: Any, key: str) -> int:
        headers = {"Authorization": f"Bearer {key}", "X-Organization-ID": backend.organization}
        return int(backend.client.get("/api/v1/workflows", headers=headers).status_code)

    assert status(api, old) == status(api, new) == 200
    after = limited_api(internal_service_api_key_previous=None)
    before = dump(after)
    for method, path in routes(after.client.app):
        if path in OPEN or path.startswith(("/schema", "/deployment/", "/api/v1/unstract/")):
            continue
        headers = {"Authorization": f"Bearer {old}", "X-Organization-ID": after.organization}
        assert after.client.request(method, filled(path), json={}, headers=headers).status_code == 401, path
    assert status(after, new) == 200 and dump(after) == before


@pytest.mark.parametrize("levels", [33, 400, 900, 3000, 100_000])
def test_settings_of_a_tool_may_not_be_deep(api: Any, levels: int) -> None:
    before = dump(api)
    spec = api.spec(name="deep")
    text = json.dumps({**spec, "tools": [{"tool": "passthrough", "settings": {"x": "DEEP"}}]})
    headers = {
        "Authorization": api.last.request.headers["authorization"],
        "X-Organization-ID": api.organization,
        "Content-Type": "application/json",
    }
    for path in ("/api/v1/workflows", "/api/v1/workflows?dry_run=true"):
        content = text.replace('"DEEP"', "[" * levels + "]" * levels)
        answer = api.client.put(path, content=content, headers=headers)
        assert answer.status_code == 400 and "deep" in answer.text, answer.text[:300]
    assert dump(api) == before
