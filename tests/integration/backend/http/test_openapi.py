"""The OpenAPI description."""

from __future__ import annotations

from typing import Any


def test_the_description_needs_no_key_and_nothing_from_elsewhere(api: Any) -> None:
    schema = api.client.get("/schema/openapi.json")
    paths = schema.json()["paths"]
    assert schema.status_code == 200 and "/api/v1/workflows" in paths
    assert any(path.endswith("/files/report") for path in paths)
    page = api.client.get("/schema")
    assert page.status_code == 200 and "/api/v1/executions" in page.text
    assert "http://" not in page.text and "https://" not in page.text and "<script" not in page.text
