"""Parses amounts, dates and integers as they are written in documents."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

_NBSP = "\xa0\u202f\u2009"
NUMBER = re.compile(
    rf"(?<![\w.,/-])(?P<minus>-?)(?:(?P<cur>[€$£₹]|RM|EUR|USD|GBP|INR|CHF|Rs\.?)\s?)?(?P<minus2>-?)"
    rf"(?P<number>\d{{1,3}}(?:[.,'{_NBSP}]\d{{3}})+(?:[.,]\d{{1,2}})?|\d+(?:[.,]\d{{1,2}})?|[.,]\d{{2}})(?![\d%]|[.,/-]\d|\s?%)",
)
_MONTHS_END = r"[^\W\d_]{3,12}\.?"
DATE = re.compile(
    rf"(?<![\d.,/-])(?:(?P<y>\d{{4}})[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}})"
    rf"|(?P<a>\d{{1,2}})(?P<sep>[-/.]\s?)(?P<b>\d{{1,2}})(?P=sep)(?P<y2>\d{{4}}|\d{{2}})"
    rf"|(?P<words>\d{{1,2}}(?:st|nd|rd|th|er|\.|º)?[\s-](?:de\s)?{_MONTHS_END}(?:\sde)?[\s,-]{{1,2}}(?:\d{{4}}|\d{{2}})"
    rf"|{_MONTHS_END}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{4}}))(?![\d/]|[.-]\d)",
)
_CENTURY = 2000
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Locale:
    """How numbers and dates of this document are to be read; None leaves it to the value itself."""

    decimal_comma: bool | None = None
    day_first: bool | None = None

    @classmethod
    def of(cls, text: str, decimal_comma: str, day_first: str) -> Locale:
        """From the settings ``auto``, ``yes`` and ``no``; an automatic date order is guessed from ``text``."""
        choice = {"yes": True, "no": False, "auto": None}
        order = choice[day_first]
        if order is None:
            # A state and a five-digit ZIP code make it American; nearly all other countries write the day first.
            order = re.search(r"\b[A-Z]{2}\s\d{5}(?:-\d{4})?\b", text) is None
        return cls(choice[decimal_comma], order)


def parse_amount(written: str, locale: Locale) -> float | None:
    """``"1.234,56"``, ``"1,234.56"``, ``"€ 12"`` as a number; None when there is none."""
    match = NUMBER.search(written)
    if match is None:
        return None
    digits = re.sub(rf"['{_NBSP}]", "", match["number"])
    if locale.decimal_comma is None:
        last = max(digits.rfind("."), digits.rfind(","))
        # Three digits after the only mark are thousands: amounts are not written to a tenth of a cent.
        mark = digits[last] if last >= 0 and len(digits) - last - 1 != 3 else ""
    else:
        mark = "," if locale.decimal_comma else "."
    integer, _, fraction = digits.partition(mark) if mark else (digits, "", "")
    if mark and digits.count(mark) > 1:
        return None
    value = float(re.sub(r"[.,]", "", integer) + "." + (fraction or "0") if integer else "0." + fraction)
    return -value if match["minus"] or match["minus2"] else value


def parse_date(written: str, locale: Locale) -> str | None:
    """A date in any usual notation as ``YYYY-MM-DD``; None when it is none."""
    match = DATE.search(written)
    if match is None:
        return None
    if match["words"]:
        return _date_in_words(match["words"], locale)
    if match["y"]:
        return _iso(int(match["y"]), int(match["m"]), int(match["d"]))
    first, second = int(match["a"]), int(match["b"])
    year = int(match["y2"]) + (_CENTURY if len(match["y2"]) == 2 else 0)
    day_first = locale.day_first is not False
    if first > _MONTHS or (second <= _MONTHS and day_first):
        return _iso(year, second, first)
    return _iso(year, first, second)


def _iso(year: int, month: int, day: int) -> str | None:
    try:
        return datetime.date(year, month, day).isoformat()
    except ValueError:
        return None


def _date_in_words(words: str, locale: Locale) -> str | None:
    from dateutil import parser

    try:
        return str(parser.parse(words.replace("-", " "), dayfirst=True).date().isoformat())
    except (ValueError, OverflowError):
        pass
    # Month names of other languages; the library is slow to load and rarely needed.
    import dateparser

    parsed = dateparser.parse(
        words, settings={"DATE_ORDER": "DMY" if locale.day_first else "MDY", "STRICT_PARSING": True}
    )
    return str(parsed.date().isoformat()) if parsed else None


def parse_integer(written: str) -> int | None:
    """``"12"``, ``"1,234"`` as an integer; None when there is none."""
    match = re.search(r"(?<!\w)-?\d{1,3}(?:[.,' ]\d{3})+(?!\d)|(?<!\w)-?\d+", written)
    return int(re.sub(r"[.,' ]", "", match[0])) if match else None
