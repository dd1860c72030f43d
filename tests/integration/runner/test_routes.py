"""Every route of the runner requires its key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from docfleet.runner.app import create_app
from docfleet.runner.settings import RunnerSettings
from tests.integration.walk import filled, routes

KEY = "runner-key-of-forty-characters-0123456789"
WRONG = ("", "Bearer", "Bearer ", "Bearer wrong", "Basic eDp5", "Bearer " + "x" * 100_000)


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
