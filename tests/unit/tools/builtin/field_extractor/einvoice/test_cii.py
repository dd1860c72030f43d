"""Cross Industry Invoice and ZUGFeRD 1."""

from __future__ import annotations

from typing import Any

import pytest

from docfleet.tools.builtin.field_extractor.einvoice.cii import read
from docfleet.tools.builtin.field_extractor.einvoice.xml import parse, plain
from tests.unit.tools.builtin.field_extractor.einvoice.documents import CII_LINE, ZUGFERD_1, cii


def fields(document: str) -> dict[str, Any]:
    return read(plain(parse(document.encode())))[0].fields()


def test_every_field_is_that_of_its_element() -> None:
    assert fields(cii()) == {
        "invoice_number": "HW-17",
        "date": "2024-03-05",
        "currency": "EUR",
        "amount": 119.0,
        "net": 100.0,
        "tax": 19.0,
        "tax_lines": [{"rate": 19.0, "net": 100.0, "tax": 19.0}],
        "seller": "Harbour Works & Co",
        "seller_tax_id": "DE136695976",
        "buyer": "Quay Ltd",
        "iban": "DE02120300000000202051",
        # The price is that of a hundred.
        "lines": [{"description": "Oak plank", "quantity": 40.0, "unit_price": 2.5, "amount": 100.0}],
        "kind": "invoice",
    }


def test_zugferd_1_has_names_of_its_own_and_may_leave_the_currency_to_the_amounts() -> None:
    assert fields(ZUGFERD_1) == {
        "invoice_number": "7-1",
        "date": "2014-07-03",
        "currency": "CHF",
        "amount": 108.0,
        "net": 100.0,
        "tax": 8.0,
        "seller": "Old Mill",
        # A line that is only a remark is none.
        "lines": [{"description": "Flour", "quantity": 2.0, "amount": 100.0}],
        "kind": "invoice",
    }


def test_a_tax_in_a_second_currency_is_not_the_tax() -> None:
    both = (
        '<ram:TaxTotalAmount currencyID="EUR">183.14</ram:TaxTotalAmount>'
        '<ram:TaxTotalAmount currencyID="GBP">163.16</ram:TaxTotalAmount>'
    )
    assert fields(cii(tax=both, currency="GBP"))["tax"] == 163.16
    assert "tax" not in fields(cii(tax=both, currency="USD"))


@pytest.mark.parametrize("gross", ["119.00", "-119.00"])
def test_a_credit_note_is_negative_whichever_sign_it_is_written_with(gross: str) -> None:
    found = fields(cii(type_code="381", gross=gross))
    assert (found["kind"], found["amount"]) == ("credit_note", -119.0)


def test_an_invoice_of_a_negative_amount_is_a_credit_note_as_it_is_written() -> None:
    found = fields(cii(gross="-119.00", net="-100.00"))
    assert (found["kind"], found["amount"], found["net"]) == ("credit_note", -119.0, -100.0)


def test_lines_that_sum_up_others_are_left_out() -> None:
    group = CII_LINE.replace(
        "<ram:LineID>1</ram:LineID>",
        "<ram:LineID>0</ram:LineID><ram:LineStatusReasonCode>GROUP</ram:LineStatusReasonCode>",
    )
    assert len(fields(cii(lines=group + CII_LINE))["lines"]) == 1


def test_of_several_dates_the_last_is_due() -> None:
    terms = "".join(
        f"<ram:SpecifiedTradePaymentTerms><ram:DueDateDateTime><udt:DateTimeString>{day}</udt:DateTimeString>"
        "</ram:DueDateDateTime></ram:SpecifiedTradePaymentTerms>"
        for day in ("20240420", "20240404")
    )
    assert fields(cii(terms=terms))["date_due"] == "2024-04-20"
