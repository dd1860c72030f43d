"""The electronic invoice of a document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from docfleet.tools.builtin.field_extractor.einvoice import reader
from docfleet.tools.builtin.field_extractor.einvoice.reader import EInvoice
from tests.unit.tools.builtin.field_extractor.einvoice.documents import cii, fattura, fattura_body, pdf, ubl

_TEXT = "Invoice HW-17 of 5 March 2024 from Harbour Works & Co to Quay Ltd: 119,00 EUR"


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read_it(content: bytes, name: str = "a.xml", text: str = "") -> EInvoice | None:
        (tmp_path / "SOURCE").write_bytes(content)
        return reader.read(tmp_path / "SOURCE", name, text, is_pdf=content.startswith(b"%PDF"), by_ocr=False)

    return read_it


def failed(invoice: EInvoice) -> list[str]:
    return [each["check"] for each in invoice.checks if not each["ok"]]


@pytest.mark.parametrize(
    ("document", "syntax"),
    [(cii(), "Cross Industry Invoice"), (ubl(), "UBL"), (ubl(root="CreditNote"), "UBL"), (fattura(), "FatturaPA")],
)
def test_each_syntax_is_known_by_its_root(read: Any, document: str, syntax: str) -> None:
    found = read(document.encode())
    assert found.syntax == syntax and found.agrees and found.fields["date"] == "2024-03-05"


def test_it_may_stand_in_the_envelope_of_peppol(read: Any) -> None:
    invoice = ubl().partition("?>")[2]
    envelope = (
        f'<StandardBusinessDocument xmlns="urn:x"><StandardBusinessDocumentHeader/>{invoice}</StandardBusinessDocument>'
    )
    assert read(envelope.encode()).fields["invoice_number"] == "U-1"


def test_two_invoices_in_one_envelope_are_no_success(read: Any) -> None:
    invoice = ubl().partition("?>")[2]
    both = invoice + invoice.replace("U-1", "U-2")
    found = read(f'<StandardBusinessDocument xmlns="urn:x">{both}</StandardBusinessDocument>'.encode())
    assert failed(found) == ["one_invoice"]


def test_a_total_in_another_currency_is_no_success(read: Any) -> None:
    gross = "<ram:GrandTotalAmount"
    assert failed(read(ubl().replace('currencyID="EUR"', 'currencyID="USD"').encode())) == ["currency"]
    assert failed(read(cii().replace(gross, f'{gross} currencyID="USD"').encode())) == ["currency"]


def test_of_a_total_in_two_currencies_the_invoice_s_counts(read: Any) -> None:
    gross = '<ram:GrandTotalAmount currencyID="USD">130.00</ram:GrandTotalAmount><ram:GrandTotalAmount'
    found = read(cii().replace("<ram:GrandTotalAmount", f'{gross} currencyID="EUR"').encode())
    assert found.agrees and (found.fields["amount"], found.fields["currency"]) == (119.0, "EUR")


@pytest.mark.parametrize(
    "document",
    [
        '<Invoice xmlns="http://www.ebinterface.at/schema/6p0/"><InvoiceNumber>1</InvoiceNumber></Invoice>',
        "<SCRDMCCBDACIOMessageStructure/>",
        "<html><body>LegalMonetary</body></html>",
        "<a><b>",
        "Invoice 7",
    ],
)
def test_any_other_document_is_none(read: Any, document: str) -> None:
    assert read(document.encode()) is None


def test_a_pdf_has_it_beside_other_files_and_is_compared_with_it(read: Any) -> None:
    found = read(pdf([_TEXT], {"about.txt": b"<no xml", "data.xml": cii().encode()}), text=_TEXT)
    assert found.fields["amount"] == 119.0 and found.agrees
    assert [each["check"] for each in found.checks][-3:] == ["text_number", "text_date", "text_amount"]


def test_a_difference_from_the_text_is_a_failed_check(read: Any) -> None:
    found = read(pdf([_TEXT], {"factur-x.xml": cii(gross="191.00").encode()}), text=_TEXT)
    assert found.fields["amount"] == 191.0 and not found.agrees and "text_amount" in failed(found)


@pytest.mark.parametrize("content", [cii()[:-40].encode(), b"not yet", b"<!DOCTYPE a><a/>", b"<a>&b;</a>"])
def test_a_broken_one_is_said(read: Any, content: bytes) -> None:
    found = read(pdf([_TEXT], {"factur-x.xml": content}), text=_TEXT)
    assert found.fields is None and failed(found) == ["xml"] and "factur-x.xml" in found.checks[0]["detail"]


def test_other_broken_files_are_no_electronic_invoices(read: Any) -> None:
    assert read(pdf([_TEXT], {"notes.xml": b"<a><b>", "zugferd-terms.pdf": b"%PDF-1.4"}), text=_TEXT) is None


def test_several_invoices_in_one_file_are_not_one(read: Any) -> None:
    found = read(fattura(fattura_body("1"), fattura_body("2")).encode())
    assert failed(found) == ["one_invoice"] and found.fields["invoice_number"] == "1"


def test_two_files_that_are_one_invoice_are_one(read: Any) -> None:
    same = ubl().replace("U-1", "HW-17").encode()
    found = read(pdf([_TEXT], {"a.xml": same, "xrechnung.xml": cii().encode()}), text=_TEXT)
    assert found.agrees and found.syntax == "Cross Industry Invoice"
    another = read(pdf([_TEXT], {"a.xml": ubl().encode(), "xrechnung.xml": cii().encode()}), text=_TEXT)
    assert failed(another) == ["one_invoice"]
