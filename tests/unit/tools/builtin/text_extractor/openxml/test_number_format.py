"""Numbers as a workbook shows them."""

from __future__ import annotations

import pytest

from docfleet.tools.builtin.text_extractor.openxml.number_format import BUILT_IN, general, shown

ACCOUNTING = '_("$"* #,##0.00_);_("$"* \\(#,##0.00\\);_("$"* "-"??_);_(@_)'
EURO = '_-* #,##0.00\\ "€"_-;\\-* #,##0.00\\ "€"_-'


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        (1234.5, "#,##0.00", "1,234.50"),
        (1234567, "#,##0", "1,234,567"),
        (2.675, "0.00", "2.68"),
        (0.1 + 0.2, "General", "0.3"),
        (4006381333931, "General", "4006381333931"),
        (1e-12, "General", "1E-12"),
        (0.19, "0%", "19%"),
        (0.0725, "0.00%", "7.25%"),
        (1234.5, ACCOUNTING, "$1,234.50"),
        (-1234.5, ACCOUNTING, "$(1,234.50)"),
        (0, ACCOUNTING, "$-"),
        (-1234.5, EURO, "-1,234.50 €"),
        (5, "#,##0.00\\ [$€-407]", "5.00 €"),
        (7, "00000", "00007"),
        (123456789, "000-00-0000", "123-45-6789"),
        (5, "0.##", "5"),
        (1234567, '#,##0.0,,"M"', "1.2M"),
        (1234.5, "0.0,", "1.2"),
        (12345, "0.00E+00", "1.23E+04"),
        (1.5, "# ?/?", "1 1/2"),
        (0, "0;-0;;@", ""),
        (0, ";;;", ""),
        (150, '[>100]"big" 0;"small" 0', "big 150"),
        (3, '[>100]"big" 0;"small" 0', "small 3"),
        (3, "@", "3"),
        (3, '"Q"General', "Q3"),
    ],
)
def test_numbers(value: float, code: str, expected: str) -> None:
    assert shown(value, code) == expected


@pytest.mark.parametrize("code", ["0.00;[Red]0.00", "[<0]0.00;0.0", '[>100]"a" 0.00;"b" 0.00', "0.00"])
def test_the_sign_of_a_number_is_never_lost(code: str) -> None:
    assert shown(-12.5, code).startswith("-") and shown(-12.5, code).endswith("12.50")


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        (45356, "dd/mm/yyyy", "05/03/2024"),
        (45356, "d\\.m\\.yy", "5.3.24"),
        (45356, "[$-409]mmmm\\ d\\,\\ yyyy;@", "March 5, 2024"),
        (45356.75, "yyyy-mm-dd hh:mm", "2024-03-05 18:00"),
        (45356.75, "h:mm AM/PM", "6:00 PM"),
        (0.5 / 86400, "mm:ss.0", "00:00.5"),
        (1.5, "[h]:mm:ss", "36:00:00"),
        (45356, 'yyyy"年"m"月"d"日"', "2024年3月5日"),
        # What depends on the machine, or is written in another language, is ISO.
        (45356, BUILT_IN[14], "2024-03-05"),
        (45356.75, BUILT_IN[22], "2024-03-05 18:00"),
        (45356, "[$-407]d\\. mmmm yyyy", "2024-03-05"),
        (45356, "[$-F800]dddd\\,\\ mmmm\\ dd\\,\\ yyyy", "2024-03-05"),
        # There was no 29 February 1900, and no day before the first.
        (60, "dd/mm/yyyy", "60"),
        (0, "dd/mm/yyyy", "0"),
        (-3, "dd/mm/yyyy", "-3"),
        (1e12, "dd/mm/yyyy", "1000000000000"),
    ],
)
def test_dates(value: float, code: str, expected: str) -> None:
    assert shown(value, code) == expected


def test_the_calendar_of_1904() -> None:
    assert shown(43894, "yyyy-mm-dd", is_1904=True) == "2024-03-05"


@pytest.mark.parametrize("code", ['"open', "[", "[$-XYZ]0", "0" * 5000, "E+", "/", "\\", "_", "*", "[>]0", "#/0"])
def test_a_format_that_is_none_leaves_the_number(code: str) -> None:
    assert "7" in shown(7, code) or shown(7, code) == "open"


def test_currency_of_the_machine_is_no_currency_of_the_document() -> None:
    assert {shown(5, BUILT_IN[number]) for number in (7, 8, 44)} == {"5.00"}


def test_the_plain_number_keeps_what_a_workbook_keeps() -> None:
    assert [general(value) for value in (1 / 3, 123456789.12, 1e15, -2.50)] == [
        "0.333333333333333", "123456789.12", "1E+15", "-2.5",
    ]  # fmt: skip
