"""FatturaPA, ordinary and simplified."""

from __future__ import annotations

from docfleet.tools.builtin.field_extractor.einvoice.fatturapa import read
from docfleet.tools.builtin.field_extractor.einvoice.model import Invoice
from docfleet.tools.builtin.field_extractor.einvoice.xml import parse, plain
from tests.unit.tools.builtin.field_extractor.einvoice.documents import FATTURA_SEMPLIFICATA, fattura, fattura_body


def invoices(document: str) -> list[Invoice]:
    return read(plain(parse(document.encode())))


def test_every_field_is_that_of_its_element_and_a_missing_total_is_the_sum() -> None:
    assert invoices(fattura())[0].fields() == {
        "invoice_number": "12/A",
        "date": "2024-03-05",
        "date_due": "2024-05-05",
        "currency": "EUR",
        "amount": 122.0,
        "net": 100.0,
        "tax": 22.0,
        "tax_lines": [{"rate": 22.0, "net": 100.0, "tax": 22.0}],
        "seller": "Ada Rossi",
        "seller_tax_id": "IT01234567890",
        "buyer": "BETA SRL",
        "buyer_tax_id": "RSSMRA80A01H501U",
        "iban": "IT60X0542811101000000123456",
        "lines": [{"description": "Consulenza", "quantity": 2.0, "unit_price": 50.0, "amount": 100.0}],
        "kind": "invoice",
    }


def test_the_stated_total_counts() -> None:
    stamp = "<DatiBollo><ImportoBollo>2.00</ImportoBollo></DatiBollo>"
    total = "<ImportoTotaleDocumento>124.00</ImportoTotaleDocumento>"
    assert invoices(fattura(fattura_body(total=stamp + total)))[0].fields()["amount"] == 124.0


def test_a_credit_note_is_negative() -> None:
    found = invoices(fattura(fattura_body(kind="TD04")))[0].fields()
    assert (found["kind"], found["amount"], found["tax"]) == ("credit_note", -122.0, -22.0)


def test_a_lot_is_all_its_invoices() -> None:
    lot = fattura(fattura_body("1"), fattura_body("2"))
    assert [invoice.number for invoice in invoices(lot)] == ["1", "2"]


def test_the_simplified_invoice_states_gross_amounts() -> None:
    found = invoices(FATTURA_SEMPLIFICATA)[0].fields()
    assert (found["amount"], found["tax"], found["net"]) == (55.0, 5.0, 50.0)
    assert (found["seller"], found["seller_tax_id"], found["invoice_number"]) == ("BAR SPORT", "IT01234567890", "9")
