"""UBL invoices and credit notes."""

from __future__ import annotations

from typing import Any

import pytest

from docfleet.tools.builtin.field_extractor.einvoice.ubl import read
from docfleet.tools.builtin.field_extractor.einvoice.xml import parse, plain
from tests.unit.tools.builtin.field_extractor.einvoice.documents import ubl


def fields(document: str) -> dict[str, Any]:
    return read(plain(parse(document.encode())))[0].fields()


def test_every_field_is_that_of_its_element() -> None:
    assert fields(ubl()) == {
        "invoice_number": "U-1",
        "date": "2024-03-05",
        "date_due": "2024-04-05",
        "currency": "EUR",
        "amount": 119.0,
        "net": 100.0,
        "tax": 19.0,
        "tax_lines": [{"rate": 19.0, "net": 100.0, "tax": 19.0}],
        "seller": "Harbour Works NV",
        "seller_tax_id": "BE0123",
        "buyer": "Ada Quay",
        "iban": "BE71096123456769",
        "lines": [{"description": "Plank", "quantity": 4.0, "unit_price": 25.0, "amount": 100.0}],
        "kind": "invoice",
    }


@pytest.mark.parametrize(("root", "type_code"), [("CreditNote", "381"), ("CreditNote", ""), ("Invoice", "381")])
def test_a_credit_note_is_negative(root: str, type_code: str) -> None:
    found = fields(ubl(root=root, type_code=type_code))
    assert (found["kind"], found["amount"], found["lines"][0]["amount"]) == ("credit_note", -119.0, -100.0)
    assert found["lines"][0]["quantity"] == -4.0


def test_without_a_total_it_is_what_is_to_pay_and_what_was_paid() -> None:
    totals = (
        '<cbc:PrepaidAmount currencyID="EUR">100.00</cbc:PrepaidAmount><cbc:PayableAmount>19.00</cbc:PayableAmount>'
    )
    assert fields(ubl(totals=totals))["amount"] == 119.0
