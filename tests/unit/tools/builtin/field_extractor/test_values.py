"""Values written in many ways: amounts, dates, whole numbers."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docfleet.tools.builtin.field_extractor.values import Locale, parse_amount, parse_date

AUTO = Locale()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12.50", 12.5), ("1,234.56", 1234.56), ("1.234,56", 1234.56), ("€ 1.234", 1234.0), ("1,234", 1234.0),
        ("12,5", 12.5), ("-3.20", -3.2), ("$-3.20", -3.2), ("1'234.50", 1234.5), ("1\xa0234,50 EUR", 1234.5),
        ("RM8.20", 8.2), (".82", 0.82), ("1.234.567,00", 1234567.0), ("no amount", None), ("12.50%", None), ("", None),
    ],
)  # fmt: skip
def test_amounts(written: str, value: float | None) -> None:
    assert parse_amount(written, AUTO) == value


def test_a_set_decimal_mark_settles_what_is_ambiguous() -> None:
    assert parse_amount("1.234", Locale(decimal_comma=True)) == 1234.0
    assert parse_amount("1,50", Locale(decimal_comma=True)) == 1.5


@given(st.integers(0, 10**9), st.sampled_from([",.", ".,", "'.", "\xa0,"]))
def test_every_amount_survives_writing(cents: int, marks: str) -> None:
    text = f"{cents / 100:,.2f}".translate(str.maketrans(",.", marks))
    assert parse_amount(f"Total {text} due", AUTO) == cents / 100


@given(st.dates(datetime.date(1950, 1, 1), datetime.date(2068, 12, 31)), st.booleans())
def test_every_date_survives_writing(date: datetime.date, day_first: bool) -> None:
    locale = Locale(day_first=day_first)
    for style in ("%Y-%m-%d", "%d %B %Y", "%B %d, %Y", "%d/%m/%Y" if day_first else "%m/%d/%Y"):
        assert parse_date(f"on {date.strftime(style)}.", locale) == date.isoformat(), style


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("25/12/2018", "2018-12-25"), ("12/25/2018", "2018-12-25"), ("3-4-21", "2021-04-03"),
        ("19 april 2014", "2014-04-19"),
        ("2. März 2026", "2026-03-02"), ("2 juillet 2015", "2015-07-02"), ("Jan 1, 2022", "2022-01-01"),
        ("1st of", None),
        ("31/02/2020", None), ("192.168.10.12", None), ("03-Mar-2018", "2018-03-03"), ("tomorrow", None),
    ],
)  # fmt: skip
def test_dates(written: str, value: str | None) -> None:
    assert parse_date(written, Locale(day_first=True)) == value
