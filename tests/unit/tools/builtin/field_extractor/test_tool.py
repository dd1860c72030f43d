"""The field extractor as a tool."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from docfleet.tools.builtin.field_extractor.tool import tool as field_extractor
from tests.unit.tools.builtin.invoice import INVOICE

Run = Callable[..., Any]


def test_own_fields_win_and_required_ones_decide(run: Run) -> None:
    fields = [
        {"name": "amount", "labels": ["VAT"], "type": "amount"},
        {"name": "po", "labels": ["PO"], "type": "text", "required": True},
    ]
    found = run(field_extractor, INVOICE.encode(), {"fields": fields})
    assert found["amount"] == 3.8 and found["matched"] is False and "po" not in found


@pytest.mark.parametrize("text", [b"", b"nothing to see", b"\xff\xfe\x00", b'{"text": 5}', b"[]"])
def test_nothing_found_is_a_result(run: Run, text: bytes) -> None:
    assert run(field_extractor, text, {})["matched"] is False


def test_the_json_of_an_earlier_tool_is_text_too(run: Run) -> None:
    earlier = json.dumps({"text": INVOICE, "pages": []}).encode()
    assert run(field_extractor, earlier, {})["amount"] == 23.8
