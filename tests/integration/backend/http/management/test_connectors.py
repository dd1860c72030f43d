"""Connectors over HTTP: descriptions for forms, and tests of settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docfleet.connectors.registry import connector_names

CANARY = "canary-7f3a9"


def test_every_connector_is_described_with_its_secrets_marked(api: Any) -> None:
    listed = api.get("/api/v1/connectors")["connectors"]
    assert [entry["name"] for entry in listed] == list(connector_names())
    shown = api.get("/api/v1/connectors/postgresql")
    assert shown in listed
    fields = shown["json_schema"]["properties"]
    assert [name for name in fields if fields[name].get("writeOnly")] == shown["secrets"]
    assert api.get("/api/v1/connectors/nope", status=404)["code"] == "not_found"


def test_settings_are_tried_and_nothing_stays(api: Any, tmp_path: Path) -> None:
    path, settings = "/api/v1/connectors/local/test", {"path": str(tmp_path / "in")}
    assert not api.post(path, {"settings": settings, "direction": "source"})["ok"]
    (tmp_path / "in").mkdir()
    for direction in ("source", "destination"):
        assert api.post(path, {"settings": settings, "direction": direction})["ok"]
    assert list((tmp_path / "in").iterdir()) == []


def test_a_failed_step_is_an_answer_and_a_refused_setting_is_not(api: Any) -> None:
    settings = {"host": "127.0.0.1", "port": 1, "password": CANARY}
    answer = api.post("/api/v1/connectors/postgresql/test", {"settings": settings, "direction": "destination"})
    (step,) = answer["steps"]
    assert (step["name"], step["ok"], step["code"]) == ("connect", False, "destination_unavailable")
    assert CANARY not in str(answer)
    for body, says in (
        ({"settings": {"pass": CANARY}, "direction": "destination"}, "unknown field 'pass'"),
        ({"settings": settings, "direction": "source"}, "no source of files"),
        ({"settings": settings, "direction": "destination", "configuration": {"table": "a b"}}, "not a valid name"),
    ):
        detail = api.post("/api/v1/connectors/postgresql/test", body, status=400)["detail"]
        assert says in detail
        assert CANARY not in detail
