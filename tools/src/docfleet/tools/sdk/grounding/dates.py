"""The dates that a text may mean, in numbers or with the name of a month in any language.

Names of months are those of the Unicode CLDR, as the library dateparser has them.
"""

from __future__ import annotations

import datetime
import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from docfleet.tools.sdk.grounding.folding import ascii_digits, fold

_NUMBERS = re.compile(
    r"(?<!\d)(\d{1,4})(?:\s?[./\-\u2013\u2010\u2011]\s?|\s?[\u5e74\ub144]\s?|\s)(\d{1,2})"
    r"(?:\s?[./\-\u2013\u2010\u2011]\s?|\s?[\u6708\uc6d4]\s?|\s)(\d{1,4})(?!\d)"
)
_DIGITS = re.compile(r"(?<!\d)\d{8}(?!\d)")
_TOKEN = re.compile(r"\d{1,4}|[^\W\d_]+")
_ISO = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?(?:[T ]\d{2}:\d{2}.*)?\Z")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_LEAST_LETTERS = 3
_BETWEEN = 2  # words between the parts of a date, such as "de"
_PREFIXES = "בלמה"  # the prepositions of Hebrew are written as one word with the month
_BUDDHIST, _REPUBLIC = 543, 1911  # years of other calendars: Thailand, Taiwan
_YEARS = range(1800, 2200)


class When(NamedTuple):
    """A date as it is written between ``start`` and ``end``; ``day`` is 0 for a month, ``year`` 0 without one."""

    start: int
    end: int
    year: int
    month: int
    day: int


def of_value(value: str) -> tuple[int, int, int] | None:
    """Year, month and day (0: none) of a value in ISO 8601; None for any other text."""
    match = _ISO.match(value.strip())
    if match is None or int(match[1]) not in _YEARS or not 1 <= int(match[2]) <= 12:
        return None
    return int(match[1]), int(match[2]), int(match[3] or 0)


def dates(line: str) -> Iterator[When]:
    """Every date that the text may be read as."""
    line = ascii_digits(line)
    for match in _overlapping(line):
        for year, month, day in _readings(match[1], match[2], match[3]):
            yield When(match.start(), match.end(), year, month, day)
    for match in _DIGITS.finditer(line):
        text = match[0]
        for parts in (
            (text[:4], text[4:6], text[6:]),
            (text[4:], text[2:4], text[:2]),
            (text[4:], text[:2], text[2:4]),
        ):
            if _is_date(*map(int, parts)):
                yield When(match.start(), match.end(), int(parts[0]), int(parts[1]), int(parts[2]))
    yield from _months_alone(line)
    if re.search(r"[^\W\d_]{3}", line) and re.search(r"\d", line):
        yield from _in_words(line)


def _overlapping(line: str) -> Iterator[re.Match[str]]:
    at = 0
    while (match := _NUMBERS.search(line, at)) is not None:
        yield match
        at = match.end(1)


_MONTH_ALONE = re.compile(r"(?<![\d./-])(?:(\d{1,2})\s?[./-]\s?(\d{4})|(\d{4})\s?[./-]\s?(\d{1,2}))(?![\d./-])")


def _months_alone(line: str) -> Iterator[When]:
    for match in _MONTH_ALONE.finditer(line):
        year, month = (int(match[2]), int(match[1])) if match[1] else (int(match[3]), int(match[4]))
        if 1 <= month <= 12 and year in _YEARS:
            yield When(match.start(), match.end(), year, month, 0)


def _readings(first: str, second: str, third: str) -> set[tuple[int, int, int]]:
    a, b, c = int(first), int(second), int(third)
    found = set()
    if len(third) == 4 or (len(third) == 2 and len(first) <= 2):
        for year in _years(third):
            found |= {(year, b, a), (year, a, b)}
    if len(first) >= 3 or (len(first) == 2 and len(third) == 2):
        for year in _years(first):
            found.add((year, b, c))
    return {each for each in found if _is_date(*each)}


def _years(written: str) -> set[int]:
    number = int(written)
    if len(written) == 4:
        return {number, number - _BUDDHIST}
    if len(written) == 3:
        return {number + _REPUBLIC}
    return {2000 + number, 1900 + number}


def _is_date(year: int, month: int, day: int) -> bool:
    if year not in _YEARS:
        return False
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True


def _in_words(line: str) -> Iterator[When]:
    tokens = list(_TOKEN.finditer(line))
    names = months()
    for index, token in enumerate(tokens):
        for month in () if token[0].isdigit() else _months_named(token[0], names):
            before = [each for each in tokens[max(index - _BETWEEN, 0) : index] if each[0].isdigit()]
            after = [each for each in tokens[index + 1 : index + 2 + _BETWEEN] if each[0].isdigit()]
            yield from _around(month, token, before, after)


def _around(month: int, name: re.Match[str], before: list[re.Match[str]], after: list[re.Match[str]]) -> Iterator[When]:
    """Day before the name and year behind it, day and year behind it, year before it and day behind it, or a year."""
    orders = [(day, year) for day in before[-1:] for year in after[:1]]
    orders += [(day, year) for day in after[:1] for year in after[1:2]]
    orders += [(day, year) for day in after[:1] for year in before[-1:]]
    for day, year in orders:
        if len(day[0]) <= 2 and len(year[0]) in (2, 4):
            for number in _years(year[0]):
                if _is_date(number, month, int(day[0])):
                    start = min(name.start(), day.start(), year.start())
                    end = max(name.end(), day.end(), year.end())
                    yield When(start, end, number, month, int(day[0]))
    for day in (*before[-1:], *after[:1]):
        if len(day[0]) <= 2 and 1 <= int(day[0]) <= 31:
            yield When(min(name.start(), day.start()), max(name.end(), day.end()), 0, month, int(day[0]))
    for year in (*before[-1:], *after[:1]):
        if len(year[0]) == 4 and int(year[0]) in _YEARS:
            start, end = min(name.start(), year.start()), max(name.end(), year.end())
            yield When(start, end, int(year[0]), month, 0)


def _months_named(written: str, names: dict[str, set[int]]) -> set[int]:
    folded = fold(written)
    if folded in names:
        return names[folded]
    return names.get(folded[1:], set()) if folded[:1] and folded[0] in _PREFIXES else set()


@cache
def months() -> dict[str, set[int]]:
    """The names of months, folded, in all languages of the library; a name may mean two, as ``listopad`` does."""
    import dateparser.data.date_translation_data as data

    named: dict[str, set[int]] = {}
    for module in pkgutil.iter_modules(data.__path__):
        info = importlib.import_module(f"{data.__name__}.{module.name}").info
        for number, month in enumerate(_MONTHS, start=1):
            for name in info.get(month, ()):
                folded = fold(name)
                if (len(folded) >= _LEAST_LETTERS and not folded.isdigit()) or (folded and not folded.isascii()):
                    named.setdefault(folded, set()).add(number)
    return named
