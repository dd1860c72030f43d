"""Ids are UUIDs."""

from __future__ import annotations

import pytest

from docfleet.core import errors
from docfleet.core.ids import parse_id


def test_ids_are_uuids() -> None:
    assert parse_id("0AC5F56A-8B5C-4D8B-9E9C-000000000000") == "0ac5f56a-8b5c-4d8b-9e9c-000000000000"
    with pytest.raises(errors.InvalidInput, match="workflow id"):
        parse_id("../x", "workflow id")
