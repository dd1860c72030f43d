"""Settings of an organization."""

from __future__ import annotations

from typing import Any

import pytest

from docfleet.backend.organizations.repository import SETTINGS


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


@pytest.mark.parametrize("key", SETTINGS)
def test_every_setting_can_be_read_before_it_is_set(api: Any, key: str) -> None:
    data = api.get(f"/internal/v1/configuration/{key}/")["data"]
    assert (data["config_key"], data["has_organization_override"]) == (key, False)
