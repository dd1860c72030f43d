"""Dates, as documents write them: in digits in any order, and in the words of many languages."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from docfleet.tools.builtin.field_extractor import cldr

if TYPE_CHECKING:
    from docfleet.tools.builtin.field_extractor.locale import Locale

_MONTH = r"[^\s\d.,;:/()\-\u2013]{2,16}"
_OF = r"(?:de\s|of\s|do\s|d['\u2019]|del\s|a['\u2019]\s)?"
_YEAR = r"\d{4}|['\u2019]?\d{2}"
DATE = re.compile(
    r"(?<![\w.,/-])(?:"
    # 2024-03-14, 2024.03.14., 2024/3/14, 2024年3月14日, 2024년 3월 14일, 令和6年3月14日
    r"(?P<era>令和|平成|民國|民国)?(?P<y>\d{4}|(?<=[\u4e00-\u9fff])\d{1,3}|(?<=[\u4e00-\u9fff])元)"
    r"\s?(?P<ymd>[-/.\u5e74\ub144])\s?(?P<m>\d{1,2})\s?(?:(?P=ymd)|[\u6708\uc6d4])\s?(?P<d>\d{1,2})(?!\d)[\u65e5\uc77c.]?"
    # 14.03.2024, 14. 3. 2024, 14/03/24, 14-03-2024; OCR joins the time to it: 14-03-202412:22
    r"|(?P<a>\d{1,2})\s?(?P<sep>[-/.])\s?(?P<b>\d{1,2})\s?(?P=sep)\s?(?P<y2>(?:19|2[0145])\d{2}|['\u2019]?\d{2})(?=\d{1,2}:\d{2}|(?!\d|[/-]\d|\.\d))"
    # 14 March 2024, 14. März 2024, 14 de marzo de 2024, 14-Mar-24, 14MAR2024
    rf"|(?P<d3>\d{{1,2}})(?:st|nd|rd|th|er|[.\u00ba\u00aa\u00b0]|:e)?[\s/\-]{{0,2}}{_OF}(?P<month3>{_MONTH})\.?,?[\s/\-,]{{0,2}}"
    rf"(?:of\s|de\s|del\s)?(?P<y3>{_YEAR})(?=\d{{1,2}}:\d{{2}}|(?![\w,]\d|\d))"
    # March 14, 2024
    rf"|(?P<month4>{_MONTH})\.?[\s-]?(?P<d4>\d{{1,2}})(?:st|nd|rd|th|er)?\s?[,-]?\s?(?P<y4>\d{{4}}|['\u2019]\d{{2}})(?!\d)"
    # 2024. március 14., 2024 m. kovo 14 d., 2024. gada 14. marts
    rf"|(?P<y5>\d{{4}})[.,]?\s(?:m\.\s|gada\s)?(?:(?P<d5>\d{{1,2}})\.?\s(?P<month5>{_MONTH})|(?P<month6>{_MONTH})\s(?P<d6>\d{{1,2}}))(?!\d)"
    # 14 tháng 3 năm 2024
    r"|(?P<d7>\d{1,2})\s(?:th\u00e1ng|thg)\s(?P<m7>\d{1,2})(?:[\s,]+n\u0103m)?[\s,]+(?P<y7>\d{4})"
    # 20240314
    r"|(?P<compact>(?:19|20)\d{6})(?![\d\w])"
    r")",
    re.IGNORECASE,
)
_ERAS = {"令和": 2018, "平成": 1988, "民國": 1911, "民国": 1911}
_BUDDHIST = 543
_MONTHS = 12
_EARLIEST, _LATEST = 1900, 2199


def dates(text: str, locale: Locale, start: int = 0, end: int | None = None) -> Iterator[tuple[re.Match[str], str]]:
    """The dates in ``text[start:end]``: where each stands, and the date as ``YYYY-MM-DD``."""
    end = len(text) if end is None else end
    while match := DATE.search(text, start, end):
        value = value_of(match, locale)
        if value is None:
            # A number before a word is no date, but the word may begin one.
            start = match.start() + 1
            while start < end and text[start - 1].isalnum() and text[start].isalnum():
                start += 1
            continue
        yield match, value
        start = match.end()


def parse_date(written: str, locale: Locale) -> str | None:
    """A date in any usual notation as ``YYYY-MM-DD``; None when it is none, or may be two."""
    return next((value for _, value in dates(written, locale)), None)


def value_of(match: re.Match[str], locale: Locale) -> str | None:
    """The date of a match of ``DATE``; None when there is no such day, or when two days are written so."""
    if match["y"]:
        year = 1 if match["y"] == "元" else int(match["y"])
        return iso(year + _ERAS.get(match["era"] or "", 0), int(match["m"]), int(match["d"]))
    if match["compact"]:
        written = match["compact"]
        return iso(int(written[:4]), int(written[4:6]), int(written[6:]))
    if match["a"]:
        return _in_digits(match, locale)
    if match["y7"]:
        return iso(int(match["y7"]), int(match["m7"]), int(match["d7"]))
    for number in "3456":
        name = match[f"month{number}"]
        if name:
            written = match["y5" if number in "56" else f"y{number}"]
            month = _month(name, locale)
            return iso(_year(written, locale), month, int(match[f"d{number}"])) if month else None
    return None


def _in_digits(match: re.Match[str], locale: Locale) -> str | None:
    first, second, year = int(match["a"]), int(match["b"]), _year(match["y2"], locale)
    if match["sep"] == "." or first > _MONTHS or first == second:
        return iso(year, second, first)
    if second > _MONTHS:
        return iso(year, first, second)
    if locale.day_first is None:
        return None
    return iso(year, second, first) if locale.day_first else iso(year, first, second)


def _year(written: str, locale: Locale) -> int:
    """Two digits are the year nearest to the other dates of the document, else to today."""
    year = int(written.lstrip("'\u2019"))
    if len(written) == 4:
        return year
    nearest = locale.year or datetime.datetime.now(datetime.UTC).year
    return min((century + year for century in range(1800, 2300, 100)), key=lambda candidate: abs(candidate - nearest))


def iso(year: int, month: int, day: int) -> str | None:
    """A date as ``YYYY-MM-DD``; None when there is no such day, or when it is in no time of invoices."""
    if year - _BUDDHIST in range(_EARLIEST, _LATEST) and year > _LATEST:
        year -= _BUDDHIST
    try:
        return datetime.date(year, month, day).isoformat() if _EARLIEST <= year <= _LATEST else None
    except ValueError:
        return None


def _month(name: str, locale: Locale) -> int | None:
    """The month of this name; of two languages that differ, the one of the document."""
    known = cldr.months()
    by_number = known.get(name.casefold().strip(" .")) or known.get(cldr.bare(name))
    if by_number is None:
        return None
    if len(by_number) == 1:
        return next(iter(by_number))
    ours = [number for number, languages in by_number.items() if languages & set(locale.languages)]
    return ours[0] if len(ours) == 1 else None


def order_votes(text: str) -> tuple[int, int]:
    """How many dates in digits can only begin with the day, and with the month. Dots always follow the day."""
    day = month = 0
    for match in DATE.finditer(text):
        if match["a"] and match["sep"] != ".":
            first, second = int(match["a"]), int(match["b"])
            day += first > _MONTHS >= second
            month += second > _MONTHS >= first
    return day, month


def full_years(text: str) -> list[int]:
    """The years that dates of a text have in four digits."""
    written = (match["y"] or match["y2"] or match["y3"] or match["y4"] or match["y5"] for match in DATE.finditer(text))
    years = (int(year) for year in written if year and len(year) == 4)
    return sorted(year for year in years if _EARLIEST <= year <= _LATEST)
