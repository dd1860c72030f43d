"""Health routes."""

from __future__ import annotations

from typing import Any


def test_health_is_open(api: Any) -> None:
    assert api.client.get("/livez").status_code == 200
    assert api.client.get("/readyz").json() == {"status": "ok"}
