"""The field extractor as a tool."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from docfleet.tools.builtin.field_extractor.tool import tool as field_extractor
from tests.unit.tools.builtin.field_extractor.einvoice.documents import cii, pdf
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


def test_an_electronic_invoice_wins_over_its_text_and_fields_of_the_workflow_over_both(run: Run) -> None:
    fields = [{"name": "buyer", "labels": ["Your reference"], "type": "text"}]
    text = b"HW-17, 05.03.2024, total 119.00 EUR, and not 7.00\nYour reference: Pier 3\n"
    document = pdf(["a"], {"data.xml": cii().encode()})
    found = run(field_extractor, text, {"fields": fields}, source=document)
    assert (found["matched"], found["template"]) == (True, "Cross Industry Invoice")
    assert (found["invoice_number"], found["amount"], found["buyer"]) == ("HW-17", 119.0, "Pier 3")
    assert all(check["ok"] for check in found["checks"])


def test_a_template_of_the_workflow_adds_what_the_xml_does_not_say(run: Run) -> None:
    template = {"issuer": "Harbour", "keywords": ["Harbour"], "fields": {
        "amount": r"total (\d+)", "date": r"(\d+-\d+-\d+)", "invoice_number": r"HW-(\d+)", "pier": r"Pier (\d+)",
    }}  # fmt: skip
    text = b"Harbour HW-17, 2024-03-05, total 119.00 EUR, Pier 3, and something more"
    found = run(field_extractor, text, {"templates": [template]}, source=pdf(["a"], {"x": cii().encode()}))
    assert (found["pier"], found["amount"], found["template"]) == ("3", 119.0, "Cross Industry Invoice")


def test_an_electronic_invoice_may_be_the_document(run: Run) -> None:
    found = run(field_extractor, cii().encode(), {}, earlier=0, source=cii().encode())
    assert found["matched"] and found["amount"] == 119.0


def test_a_broken_electronic_invoice_leaves_the_text_and_is_said(run: Run) -> None:
    found = run(field_extractor, INVOICE.encode(), {}, source=pdf(["a"], {"factur-x.xml": cii()[:-9].encode()}))
    assert (found["amount"], found["matched"]) == (23.8, False)
    assert [check["check"] for check in found["checks"] if not check["ok"]] == ["xml"]


def test_what_differs_from_the_text_is_not_matched(run: Run) -> None:
    text = b"Invoice HW-17 of 05.03.2024, total 191.00 EUR for planks of oak"
    assert run(field_extractor, text, {}, source=pdf(["a"], {"x": cii().encode()}))["matched"] is False


def test_other_presets_read_the_text_only(run: Run) -> None:
    document = pdf(["a"], {"x": cii().encode()})
    assert "invoice_number" not in run(field_extractor, b"a", {"preset": "none"}, source=document)


def test_a_check_that_fails_is_said_and_nothing_matches(run: Run) -> None:
    found = run(field_extractor, INVOICE.replace(" 3,80", " 3,90").encode(), {})
    assert found["matched"] is False and found["amount"] == 23.8
    assert [each["check"] for each in found["checks"] if not each["ok"]] == ["net_and_tax"]
    assert run(field_extractor, INVOICE.encode(), {})["matched"] is True
