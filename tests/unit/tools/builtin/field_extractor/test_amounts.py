"""Amounts and whole numbers in the notations of all countries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docfleet.tools.builtin.field_extractor.amounts import amounts, parse_amount, parse_integer
from docfleet.tools.builtin.field_extractor.locale import Locale

AUTO = Locale()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12.50", 12.5), ("1,234.56", 1234.56), ("1.234,56", 1234.56), ("€ 1.234", 1234.0), ("1,234", 1234.0),
        ("12,5", 12.5), ("-3.20", -3.2), ("$-3.20", -3.2), ("1'234.50", 1234.5), ("1\xa0234,50 EUR", 1234.5),
        ("RM8.20", 8.2), (".82", 0.82), ("1.234.567,00", 1234567.0), ("no amount", None), ("12.50%", None), ("", None),
        # Groups: spaces of all kinds, both apostrophes, the middle dot, lakhs.
        ("1 234,56 EUR", 1234.56), ("1 234 567,89", 1234567.89), ("1\u202f234,56", 1234.56), ("1\u2009234,56", 1234.56),
        ("CHF 1\u2019234.50", 1234.5), ("1\u2019000 CHF", 1000.0), ("1\u00b7234\u00b7567,00 EUR", 1234567.0),
        ("\u20b9 12,34,567.00", 1234567.0), ("Rs. 1,05,000.50", 105000.5), ("CHF 1 250.00", 1250.0),
        # No cents, and more than two digits of them.
        ("100,- kr", 100.0), ("1.000,--", 1000.0), ("KWD 1,234.567", 1234.567), ("0,123", 0.123),
        ("1234.567", 1234.567),
        # Digits of other scripts.
        ("\u0661\u0662\u0663\u0664\u066b\u0665\u0666", 1234.56),
        ("\u0661\u066c\u0662\u0663\u0664\u066b\u0665\u0660", 1234.5),
        ("\u0967,\u0968\u0969\u096a.\u096b\u0966", 1234.5),
        # No amounts.
        ("100-200", None), ("19 %", None), ("10.10.2020", None), ("19\u066a", None),
    ],
)  # fmt: skip
def test_amounts(written: str, value: float | None) -> None:
    assert parse_amount(written, AUTO) == value


@pytest.mark.parametrize(
    "written",
    [
        "(1,234.56)", "1.234,56-", "\u22121.234,56 €", "Total: - 1,234.56", "-$1,234.56", "1,234.56 CR", "$-1,234.56",
        "- CHF 1'234.56", "(€ 1.234,56)", "(1,234.56 USD)", "\u20131.234,56", "EUR -1 234,56", "Total   - 1,234.56",
        "1.234,56 €-", "1,234.56 USD CR",
    ],
)  # fmt: skip
def test_signs_of_negative_amounts(written: str) -> None:
    assert parse_amount(written, AUTO) == -1234.56


def test_a_dash_behind_a_label_is_no_sign() -> None:
    assert parse_amount("Total - 12.50", AUTO) == 12.5


def test_a_set_decimal_mark_settles_what_is_ambiguous() -> None:
    assert parse_amount("1.234", Locale(decimal_comma=True)) == 1234.0
    assert parse_amount("1,50", Locale(decimal_comma=True)) == 1.5
    assert parse_amount("1.50", Locale(decimal_comma=True)) == 1.5, "no group has two digits"


@pytest.mark.parametrize(
    ("document", "written", "value"),
    [
        ("Net 1.000,50 EUR", "1.234", 1234.0),
        ("Net 12.50, tax 1,000.10", "1,234", 1234.0),
        ("Total KWD 12.500", "1.234", 1.234),
        ("Price 3.500 BHD", "12.500", 12.5),
        ("Price 0,50, sum 12,75, fuel", "1,234", 1.234),
    ],
)
def test_the_document_settles_what_one_number_leaves_open(document: str, written: str, value: float) -> None:
    text = f"{document}\nTotal {written}"
    assert parse_amount(written, Locale.of(text, "auto", "auto")) == value


def test_columns_are_no_groups_where_groups_have_another_mark() -> None:
    text = "2 100,00 1.200,00"
    assert [value for _, value in amounts(text, Locale.of(text, "auto", "auto"))] == [2.0, 100.0, 1200.0]


@given(st.integers(0, 10**9), st.sampled_from([",.", ".,", "'.", "\xa0,", " ,", "\u2019."]), st.booleans())
def test_every_amount_survives_writing(cents: int, marks: str, negative: bool) -> None:
    text = f"{cents / 100:,.2f}".translate(str.maketrans(",.", marks))
    sign = "\u2212" if negative else ""
    assert parse_amount(f"Total {sign}{text} due", AUTO) == (-cents if negative else cents) / 100


@pytest.mark.parametrize(("written", "value"), [("12", 12), ("1,234", 1234), ("1 234", 1234), ("x", None), ("-5", -5)])
def test_integers(written: str, value: int | None) -> None:
    assert parse_integer(written) == value


@pytest.mark.parametrize(
    "written", ["1,2O0.50", "1.200,5O", "1.2B0,50", "$l,200.50", "12O", "1.200.50", "1,200,50", "1.2l0.500,00"]
)
def test_a_number_with_a_misread_sign_is_left_out(written: str) -> None:
    assert parse_amount(written, AUTO) is None


@pytest.mark.parametrize(("written", "value"), [("12 Stk", 12.0), ("10 l", 10.0), ("12.50S", 12.5), ("12.50Z.", 12.5)])
def test_a_word_behind_a_number_is_no_misread_digit(written: str, value: float) -> None:
    assert parse_amount(written, AUTO) == value
