"""Dates in digits and in words, of one document."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docfleet.tools.builtin.field_extractor.dates import parse_date
from docfleet.tools.builtin.field_extractor.locale import Locale


@given(st.dates(datetime.date(1950, 1, 1), datetime.date(2068, 12, 31)), st.booleans())
def test_every_date_survives_writing(date: datetime.date, day_first: bool) -> None:
    locale = Locale(day_first=day_first)
    for style in ("%Y-%m-%d", "%d %B %Y", "%B %d, %Y", "%d.%m.%Y", "%d/%m/%Y" if day_first else "%m/%d/%Y"):
        assert parse_date(f"on {date.strftime(style)}.", locale) == date.isoformat(), style


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("25/12/2018", "2018-12-25"), ("12/25/2018", "2018-12-25"), ("3-4-21", "2021-04-03"),
        ("1st of", None), ("31/02/2020", None), ("192.168.10.12", None), ("tomorrow", None), ("2 items 20", None),
        ("14. 3. 2024", "2024-03-14"), ("2024.03.14.", "2024-03-14"), ("20240314", "2024-03-14"),
        ("12.03.98", "1998-03-12"), ("14. März '24", "2024-03-14"), ("14 มีนาคม 2567", "2024-03-14"),
    ],
)  # fmt: skip
def test_dates(written: str, value: str | None) -> None:
    assert parse_date(written, Locale(day_first=True, year=2020)) == value


@pytest.mark.parametrize(
    "written",
    [
        "14 March 2024", "14th of March, 2024", "Mar. 14, 2024", "14-Mar-24", "14MAR2024", "14/Mar/2024",
        "14. März 2024",
        "14 mars 2024", "14 de marzo de 2024", "14 marzo 2024", "14 de março de 2024", "14 maart 2024", "14-mrt-2024",
        "14. marts 2024", "14. maaliskuuta 2024", "14. mars 2024", "14 marca 2024", "14. března 2024", "14. marec 2024",
        "2024. március 14.", "14 martie 2024", "14 март 2024", "14 ožujka 2024", "14. marec 2024", "14 Μαρτίου 2024",
        "14 Mart 2024", "14 марта 2024 г.", "14 березня 2024", "2024 m. kovo 14 d.", "2024. gada 14. marts",
        "14. märts 2024", "14 Mac 2024", "14 مارس 2024", "14 मार्च 2024", "2024年3月14日", "2024년 3월 14일",
        "令和6年3月14日", "14 tháng 3 năm 2024", "٢٠٢٤-٠٣-١٤",
    ],
)  # fmt: skip
def test_dates_of_many_languages(written: str) -> None:
    assert parse_date(written, Locale(year=2024)) == "2024-03-14"


def test_a_month_of_two_languages_is_that_of_the_document() -> None:
    assert parse_date("14 listopad 2024", Locale()) is None
    assert parse_date("14 listopad 2024", Locale(languages=("pl",))) == "2024-11-14"
    assert parse_date("14 listopad 2024", Locale(languages=("hr",))) == "2024-10-14"


def test_two_digits_are_the_nearest_year() -> None:
    assert parse_date("01.02.70", Locale(year=1999)) == "1970-02-01"
    assert parse_date("01.02.70", Locale(year=2060)) == "2070-02-01"


@pytest.mark.parametrize(
    ("document", "value"),
    [
        ("DE 80333 München", "2024-03-05"), ("IT 20121 Milano", "2024-03-05"), ("CA 90210 Somewhere", "2024-03-05"),
        ("Austin, TX 78701", "2024-05-03"), ("Fremont CA 94538\nUnited States", "2024-05-03"), ("", "2024-03-05"),
        ("Paid 05/25/2024", "2024-05-03"), ("Austin, TX 78701\nDue 25/05/2024", "2024-03-05"),
        ("from 13/01/2024 to 01/13/2024", None),
    ],
)  # fmt: skip
def test_the_order_is_that_of_the_document(document: str, value: str | None) -> None:
    assert parse_date("05/03/2024", Locale.of(f"{document}\n05/03/2024", "auto", "auto")) == value


def test_with_dots_the_day_is_first_anywhere() -> None:
    assert parse_date("05.03.2024", Locale(day_first=False)) == "2024-03-05"
