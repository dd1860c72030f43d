"""Every route of backend and runner is closed but those listed here; revoked keys open nothing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import select

from docfleet.backend.tables.schema import metadata
from docfleet.runner.app import create_app
from docfleet.runner.settings import RunnerSettings

OPEN = {"/livez", "/readyz", "/schema", "/schema/openapi.json", "/schema/openapi.yaml", "/schema/openapi.yml"}
"""What needs no key. Whoever adds a route here says why in SECURITY.md."""
KEY = "runner-key-of-forty-characters-0123456789"
WRONG = ("", "Bearer", "Bearer ", "Bearer wrong", "Basic eDp5", "Bearer " + "x" * 100_000)


def routes(app: Litestar) -> Iterator[tuple[str, str]]:
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"}):
                yield method, route.path_format


def filled(path: str) -> str:
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + str(uuid.uuid4()) + rest.partition("}")[2]
    return path


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


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[TestClient[Litestar]]:
    settings = RunnerSettings(
        runner_api_key=KEY, execution_storage_root=str(tmp_path / "storage"), runner_work_dir=str(tmp_path / "work")
    )
    with TestClient(create_app(settings)) as client:
        yield client


def test_every_route_of_the_runner_wants_its_key(runner: TestClient[Litestar], tmp_path: Path) -> None:
    body = {"tool_id": "text_extractor", "folder": "o/w/e/f", "step": 1}
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    walked = 0
    for method, path in routes(runner.app):
        if path in ("/livez", "/readyz"):
            continue
        for header in (None, *WRONG, KEY, f"Bearer {KEY}x", f"Bearer {KEY[:-1]}"):
            headers = {} if header is None else {"Authorization": header}
            answer = runner.request(method, filled(path), json=body if method == "PUT" else None, headers=headers)
            assert answer.status_code == 401 and KEY not in answer.text, (method, path, answer.text)
            walked += 1
    assert walked >= 27 and sorted(str(path) for path in tmp_path.rglob("*")) == before
    assert runner.get("/v1/runs/none", headers={"Authorization": f"Bearer {KEY}"}).status_code == 404


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
