"""What an electronic invoice has to agree with."""

from __future__ import annotations

from decimal import Decimal

import pytest

from docfleet.tools.builtin.field_extractor.einvoice import checks
from docfleet.tools.builtin.field_extractor.einvoice.model import Invoice, InvoiceLine, TaxLine

_FILLER = "Harbour Works sells planks of oak and of other wood to everybody. "


def invoice(**fields: object) -> Invoice:
    return Invoice(
        **{"number": "RE-2024/17", "date": "2024-03-05", "gross": Decimal("1234.5"), **fields}  # type: ignore[arg-type]
    )


def failed(found: list[checks.Check]) -> list[str]:
    return [each["check"] for each in found if not each["ok"]]


@pytest.mark.parametrize(
    "date",
    [
        "05.03.2024", "5.3.24", "05/03/2024", "03/05/2024", "2024-03-05", "2024/3/5", "20240305", "5. M\u00e4rz 2024",
        "March 5th, 2024", "5 de marzo de 2024", "5-Mar-24", "2024\u5e743\u67085\u65e5", "05 . 03 . 2024",
        "5 mars 2024", "\u0665/\u0663/\u0662\u0660\u0662\u0664",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "amount", ["1.234,50", "1,234.50", "1 234,50", "1'234.50", "1\u202f234,50", "1234.50", "1234,50"]
)
def test_the_text_may_write_them_in_any_notation(date: str, amount: str) -> None:
    text = f"{_FILLER}\nInvoice RE 2024 / 17 of {date}\nTotal {amount} EUR"
    assert len(found := checks.against_text(invoice(), text, by_ocr=False)) == 3 and not failed(found)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("RE-2024/18 of 05.03.2024: 1.234,50", ["text_number"]),
        ("RE-2024/17 of 06.03.2024: 1.234,50", ["text_date"]),
        ("RE-2024/17 of 05.04.2024: 1.234,50", ["text_date"]),
        ("RE-2024/17 of 05.03.2023: 1.234,50", ["text_date"]),
        ("RE-2024/17 of 05.03.2024: 1.234,51", ["text_amount"]),
        ("RE-2024/17 of 05.03.2024: 11.234,50", ["text_amount"]),
        ("RE-2024/17 of 05.03.2024: 12,34", ["text_amount"]),
        ("RE-2024/17 of 05.03.2024: 71.234,50", ["text_amount"]),
        ("RE-2024/17 of 05.03.2024: 1.234,505", ["text_amount"]),
        ("RE-2024/171 of 05.03.2024: 1.234,50", ["text_number"]),
        ("RE-2024/17 of 5 April 2024: 1.234,50", ["text_date"]),
        ("RE-2024/17 of 5 d\u00e9cembre 2024: 1.234,50", ["text_date"]),
    ],
)
def test_another_value_in_the_text_is_a_difference(text: str, missing: list[str]) -> None:
    assert failed(checks.against_text(invoice(), _FILLER + text, by_ocr=False)) == missing


@pytest.mark.parametrize("written", ["1.200,50", "5.200,00", "20000", "1,200,000.00", "200.75"])
def test_a_round_amount_is_no_part_of_another(written: str) -> None:
    text = f"{_FILLER}RE-2024/17, 05.03.2024, {written}"
    assert failed(checks.against_text(invoice(gross=Decimal("200.00")), text, by_ocr=False)) == ["text_amount"]


def test_the_text_may_write_more_zeros() -> None:
    text = _FILLER + "RE-2024/17, 05.03.2024, 12.500"
    assert not failed(checks.against_text(invoice(gross=Decimal("12.500")), text, by_ocr=False))


def test_a_round_amount_may_be_written_without_cents() -> None:
    text = _FILLER + "RE-2024/17, 05.03.2024, CHF 1'200.--"
    assert not failed(checks.against_text(invoice(gross=Decimal("1200.00")), text, by_ocr=False))


def test_what_is_left_to_pay_may_stand_for_the_total() -> None:
    text = _FILLER + "RE-2024/17, 05.03.2024, to pay 34.50"
    assert not failed(checks.against_text(invoice(payable=Decimal("34.50")), text, by_ocr=False))


def test_a_page_without_text_says_nothing() -> None:
    assert checks.against_text(invoice(), "[the document holds no text]", by_ocr=False) == []


def test_one_misread_word_of_a_scan_proves_nothing_and_three_do() -> None:
    assert not failed(checks.against_text(invoice(), _FILLER + "RE-2O24/17, 05.03.2024", by_ocr=True))
    assert len(failed(checks.against_text(invoice(), _FILLER * 2, by_ocr=True))) == 3


def test_parts_that_do_not_add_up_are_said() -> None:
    wrong = invoice(
        gross=Decimal(120), net=Decimal(100), tax=Decimal(19), line_total=Decimal(100),
        lines=[InvoiceLine("a", None, None, Decimal(60)), InvoiceLine("b", None, None, Decimal(30))],
        tax_lines=[TaxLine(Decimal(19), Decimal(100), Decimal(18))],
    )  # fmt: skip
    assert failed(checks.totals(wrong)) == ["net_and_tax", "sum_of_lines", "sum_of_taxes"]


def test_rounding_and_stamp_duty_may_be_part_of_the_total() -> None:
    assert not failed(
        checks.totals(
            invoice(gross=Decimal("121.05"), net=Decimal(100), tax=Decimal(19), extras=(Decimal("0.05"), Decimal(2)))
        )
    )
