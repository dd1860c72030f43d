"""Presets: the fields of invoices and credit notes in many languages."""

from __future__ import annotations

from typing import Any

import pytest

from docfleet.tools.builtin.field_extractor.checks import checks_of
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
        ("Mietrechnung Nr. {} vom 14.03.2024", "", "Gesamtbetrag: {}\nGesamtbetrag der Abschläge -0,00"),
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
        ("Invoice no. (please quote): {}", "Invoice date (tax point): {}", "Total (incl. VAT): {}"),
        ("INVOICE NO\n{}", "INVOICE DATE\n{}", "AMOUNT DUE\n{}"),
        ("請求書番号：{}", "発行日：{}", "合計金額: {}"),
    ],
)
def test_labels_of_many_languages(number: str, date: str, total: str) -> None:
    text = "\n".join(["Port", number.format("A-104/24"), date.format("14.03.2024"), total.format("1.250,00")])
    found = invoice(text)
    assert (found["invoice_number"], found["date"], found["amount"]) == ("A-104/24", "2024-03-14", 1250.0)


@pytest.mark.parametrize("number", ["2026-17", "2026-12", "2024/7", "2026-017"])
def test_a_number_that_looks_like_a_month_is_one_beside_its_label(number: str) -> None:
    assert invoice(f"Shop\nInvoice No: {number}\nInvoice date: 1 March 2026\n")["invoice_number"] == number


def test_a_part_of_a_date_below_the_label_is_no_number() -> None:
    assert "invoice_number" not in invoice("Shop\nInvoice No:\nInvoice date: 1 March 2026\nTotal: 5.00 EUR\n")


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


def test_items_and_parties_and_checks() -> None:
    text = """
Seller:
Harbour Light Ltd.
VAT no.: DE136695976

Buyer:
Kaimauer GmbH
VAT no.: FR19787878784

Invoice no. A-7                 Invoice date: 14 March 2024     Due date: 13 April 2024
Pos   Description          Quantity   Price      Amount
1     Lamp, brass              2      10.00       20.00
2     Rope                    12.5     4.00       50.00
Net amount                                        70.00
VAT 19%                                           13.30
Total incl. VAT                               EUR 83.30
IBAN: DE02 1203 0000 0000 2020 51
"""
    found = invoice(text)
    assert (found["seller"], found["seller_tax_id"]) == ("Harbour Light Ltd.", "DE136695976")
    assert (found["buyer"], found["buyer_tax_id"]) == ("Kaimauer GmbH", "FR19787878784")
    assert (found["iban"], found["date_due"]) == ("DE02120300000000202051", "2024-04-13")
    assert found["lines"] == [
        {"description": "Lamp, brass", "quantity": 2.0, "unit_price": 10.0, "amount": 20.0},
        {"description": "Rope", "quantity": 12.5, "unit_price": 4.0, "amount": 50.0},
    ]
    made = {each["check"]: each["ok"] for each in checks_of(found)}
    names = ("net_and_tax", "sum_of_taxes", "sum_of_lines", "order_of_dates", "iban", "seller_tax_id", "buyer_tax_id")
    assert made == dict.fromkeys(names, True)


def test_items_that_are_not_the_total_are_left_out() -> None:
    assert "lines" not in invoice("Lamp   2   10.00   20.00\nNet amount 21.00\nVAT 2.00\nGrand total 23.00")


@pytest.mark.parametrize(
    ("fields", "check"),
    [
        ({"amount": 12.0, "net": 10.0, "tax": 1.9}, "net_and_tax"),
        ({"net": 10.0, "tax": 2.0, "tax_lines": [{"rate": 19.0, "net": 10.0, "tax": 1.9}]}, "sum_of_taxes"),
        ({"net": 10.0, "lines": [{"amount": 9.0}]}, "sum_of_lines"),
        ({"date": "2024-03-14", "date_due": "2024-03-13"}, "order_of_dates"),
        ({"iban": "DE02120300000000202052"}, "iban"),
        ({"seller_tax_id": "DE136695977"}, "seller_tax_id"),
        ({"buyer_tax_id": "FR19787878785"}, "buyer_tax_id"),
    ],
)
def test_each_check_can_fail(fields: dict[str, Any], check: str) -> None:
    (made,) = checks_of(fields)
    assert made["check"] == check and made["ok"] is False and made["detail"]


@pytest.mark.parametrize(
    "line",
    [
        "Order date: 1 March 2024", "Delivered on 1 March 2024", "Leistungsdatum: 01.03.2024", "Lieferdatum 01.03.2024",
        "Date de livraison : 01/03/2024", "Ordine n. 5 del 01/03/2024", "Card expires 01/03/2027",
        "Data dostawy: 01.03.2024", "DELIVERY DATE\n01/03/2024",
    ],
)  # fmt: skip
def test_the_only_date_is_none_of_issue_where_it_has_another_label(line: str) -> None:
    assert "date" not in invoice(f"Harbour\nInvoice No: A-17\n{line}\nTotal EUR 100.00\n")


def test_the_only_date_beside_a_place_is_that_of_issue() -> None:
    assert invoice("Harbour\nInvoice No: A-17\nLeeds, 1 March 2024\nTotal EUR 100.00\n")["date"] == "2024-03-01"


def test_a_credit_note_takes_nothing_of_the_invoice_it_corrects() -> None:
    corrected = "Datum: 05.03.2024\nzu Rechnung Nr. A-17 vom 01.02.2024\nGesamtbetrag 119,00 EUR\n"
    found = invoice(f"Harbour\nGutschrift Nr. GS-5\n{corrected}")
    assert (found["invoice_number"], found["date"], found["amount"]) == ("GS-5", "2024-03-05", -119.0)
    assert "invoice_number" not in invoice(f"Harbour\nGutschrift\n{corrected}")


@pytest.mark.parametrize("line", ["Total pieces: 12", "Total weight: 340.50 kg", "Total hours 12.50 h"])
def test_a_total_of_pieces_or_weights_is_no_amount(line: str) -> None:
    assert invoice(f"Harbour\nInvoice No: A-17\nTotal: EUR 1,250.00\n{line}\n")["amount"] == 1250.0


def test_a_whole_total_counts_where_there_is_no_other() -> None:
    assert invoice("Harbour\nInvoice No: A-17\nNet 105.04\nTotal: EUR 125\n")["amount"] == 125.0


def test_of_two_invoices_in_one_text_none_is_the_document() -> None:
    page = "Harbour\nInvoice No: {}\nInvoice date: 5 March 2024\nTotal EUR {}\n"
    both = page.format("A-17", "100.00") + "\f" + page.format("A-18", "200.00")
    assert "invoice_number" not in invoice(both)
    slip = page.format("A-17", "100.00") + "Please cut here\nInvoice No: 17\n"
    assert invoice(slip)["invoice_number"] == "A-17"
