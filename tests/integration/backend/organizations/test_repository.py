"""Settings of an organization."""

from __future__ import annotations

from typing import Any


def test_a_setting_of_the_organization_wins(api: Any) -> None:
    path = "/api/v1/settings/MAX_PARALLEL_FILE_BATCHES"
    assert api.get(path)["value"] is None
    api.put(path, {"value": 4})
    data = api.get("/internal/v1/configuration/MAX_PARALLEL_FILE_BATCHES/")["data"]
    assert (data["value"], data["has_organization_override"]) == (4, True)
    for wrong in (0, 101, "four", 4.5):
        api.put(path, {"value": wrong}, status=400)
    api.put(path, {"value": None})
    assert api.get(path)["has_organization_override"] is False
    api.get("/internal/v1/configuration/NO_SUCH_KEY/", status=400)
