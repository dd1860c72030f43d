"""Presets: the fields of invoices and credit notes in many languages."""

from __future__ import annotations

from typing import Any

import pytest

from docfleet.tools.builtin.field_extractor.presets import apply_preset
from docfleet.tools.builtin.field_extractor.tool import locale_of
from tests.unit.tools.builtin.invoice import INVOICE

AUTO = {"decimal_comma": "auto", "day_first": "auto"}


def invoice(text: str) -> dict[str, Any]:
    return apply_preset("invoice", text, locale_of(text, AUTO))


def test_values_beside_and_below_their_labels() -> None:
    found = invoice(INVOICE)
    assert (found["invoice_number"], found["date"], found["currency"]) == ("HL/2026-17", "2026-02-03", "EUR")
    assert (found["amount"], found["net"], found["tax"]) == (23.8, 20.0, 3.8)
    assert found["tax_lines"] == [{"rate": 19.0, "net": 20.0, "tax": 3.8}]


@pytest.mark.parametrize(
    ("number", "date", "total"),
    [
        ("Rechnungs-Nr.: {}", "Rechnungsdatum: {}", "Rechnungsbetrag {}"),
        ("Mietrechnung Nr. {} vom 14.03.2024", "", "Gesamtbetrag der Abschläge -0,00\nBruttosumme: {}"),
        ("Rechnungsnummer (bitte angeben): {}", "Datum: {}", "Gesamtsumme (inkl. MwSt.): {}"),
        ("Facture n° {} du 14/03/2024", "", "Net à payer : {}"),
        ("Numéro de facture : {}", "Date de facture : {}", "Total HT : 1,00\nTotal TTC : {}"),
        ("Fatura Numarası: {}", "Fatura Tarihi: {}", "Genel Toplam: {}"),
        ("Fakturanummer {}", "Fakturadatum {}", "Summa exkl. moms: 1,00\nAtt betala: {}"),
        ("Faktúra číslo: {}", "Dátum vystavenia: {}", "Celkom na úhradu: {}"),
        ("Račun broj: {}", "Datum računa: {}", "Osnovica: 1,00\nUkupno za platiti: {}"),
        ("Račun št. {}", "Datum izdaje: {}", "Za plačilo: {}"),
        ("Фактура № {}", "Дата на издаване: {}", "Сума за плащане: {}"),
        ("Рахунок № {} від 14.03.2024", "", "Всього до сплати: {}"),
        ("Arve nr {}", "Arve kuupäev: {}", "Summa kokku: {}"),
        ("Rēķina Nr. {}", "Rēķina datums: {}", "Summa apmaksai: {}"),
        ("Sąskaita faktūra Nr. {}", "Išrašymo data: {}", "Mokėtina suma: {}"),
        ("Τιμολόγιο αρ. {}", "Ημερομηνία έκδοσης: {}", "Πληρωτέο ποσό: {}"),
        ("INVOICE NO\n{}", "INVOICE DATE\n{}", "AMOUNT DUE\n{}"),
        ("請求書番号: {}", "発行日: {}", "合計金額: {}"),
    ],
)
def test_labels_of_many_languages(number: str, date: str, total: str) -> None:
    text = "\n".join(["Port", number.format("A-104/24"), date.format("14.03.2024"), total.format("1.250,00")])
    found = invoice(text)
    assert (found["invoice_number"], found["date"], found["amount"]) == ("A-104/24", "2024-03-14", 1250.0)


def test_a_word_in_a_phrase_is_no_heading() -> None:
    text = "Copy invoice\nCustomer   Invoice date   Invoice   Due\nC-77       08-09-2022     VF1005    22-09-2022\n"
    assert invoice(text)["invoice_number"] == "VF1005"


def test_letters_that_a_pdf_sets_apart_are_a_label() -> None:
    assert invoice("Br uttosumme    1.250,00")["amount"] == 1250.0


@pytest.mark.parametrize(
    ("text", "number", "amount"),
    [
        ("Credit Note No: CN-1\nOriginal invoice: INV-9\nInvoice no: INV-9\nTotal: -1,200.00 GBP", "CN-1", -1200.0),
        ("Avoir AV-2017-5\nFacture liée FA-10\nTotal TTC : -233,47 €", "AV-2017-5", -233.47),
        ("Gutschrift Nr. GS-7\nzur Rechnung Nr. R-6\nGesamtbetrag: 119,00 EUR", "GS-7", -119.0),
        ("Nota de crédito n.º NC 2024/7\nFatura n.º FT 2024/6\nTotal: 119,00 €", "NC 2024/7", -119.0),
    ],
)
def test_a_credit_note_has_its_own_number_and_a_negative_amount(text: str, number: str, amount: float) -> None:
    found = invoice(text)
    assert (found["kind"], found["invoice_number"], found["amount"]) == ("credit_note", number, amount)


def test_a_bill_that_the_customer_writes_is_no_credit_note() -> None:
    found = invoice("Gutschrift (Selbst ausgestellte Rechnung) (389) Nr. 471 vom 05.03.2018\nBruttosumme 529,87")
    assert (found["kind"], found["invoice_number"], found["amount"]) == ("invoice", "471", 529.87)


def test_of_several_totals_those_are_right_that_add_up() -> None:
    text = "Net total 2,076.76\nTax Total 100.00\nTotal 2,176.76\nResidual 1,453.76\nTotal 7.00"
    found = invoice(text)
    assert (found["amount"], found["net"], found["tax"]) == (2176.76, 2076.76, 100.0)


def test_a_date_that_may_be_two_is_left_out() -> None:
    assert "date" not in invoice("Invoice date: 05/03/2024\nfrom 13/01/2024 to 01/13/2024")
