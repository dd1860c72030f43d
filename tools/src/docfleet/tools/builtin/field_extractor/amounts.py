"""Amounts and whole numbers, as documents write them in all countries."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from docfleet.tools.builtin.field_extractor import cldr

if TYPE_CHECKING:
    from docfleet.tools.builtin.field_extractor.locale import Locale

SPACES = " \xa0\u202f\u2007\u2009\u200a\u2008\u2006"
_MINUS = r"\-\u2212\u2013\uff0d\ufe63"
# Marks of groups: point, comma, spaces, apostrophes (also typographic), the middle dot, the Arabic mark.
_GROUP = rf"[.,'\u2019\u02bc\u2018`\u00b4\u00b7\u066c\uff0c{SPACES}]"
_DECIMAL = r"[.,\u00b7\u066b\uff0e]"
_SAME_AS = str.maketrans(
    {**dict.fromkeys(SPACES, " "), **dict.fromkeys("\u2019\u02bc\u2018`\u00b4\u066c", "'"), "\u066b": "\u2396",
     "\uff0e": ".", "\uff0c": ","}
)  # fmt: skip
# Letters that OCR reads for digits: where they stand within a number, it is not known.
_MISREAD = r"(?:[OoQDIlSBZ]{1,3}[.,]?\d|[OoIl]{1,3}(?![\w/]))"
_GROUP_DIGITS = 3
_MAX_DIGITS = 15


@cache
def sign_pattern() -> str:
    """A regular expression of every currency by code or sign, the longest first."""
    signs = {*cldr.currency_signs(), *cldr.currency_codes()}
    words = sorted(
        (sign for sign in signs if len(sign) > 1 or not sign.isalpha() or sign == "R"), key=lambda s: (-len(s), s)
    )
    return "|".join(map(re.escape, words))


@cache
def number_pattern() -> re.Pattern[str]:
    """A number with its sign and the currency before it; neither a part of a word, a date nor a percentage."""
    return re.compile(
        rf"(?<![\w.,/])(?<!\w[{_MINUS}])(?P<open>\((?=[^()\n]{{1,40}}\)))?(?P<minus>[{_MINUS}]\s?)?"
        rf"(?:(?P<currency>{sign_pattern()})\s?)?(?P<minus2>[{_MINUS}]\s?)?"
        rf"(?P<number>\d{{1,3}}(?P<mark>{_GROUP})\d{{3}}(?:(?P=mark)\d{{3}})*(?:{_DECIMAL}\d{{1,4}})?(?!(?P=mark)?\d)"
        rf"|\d{{1,2}}(?P<lakh>[,{SPACES}])\d{{2}}(?:(?P=lakh)\d{{2}})*(?P=lakh)\d{{3}}(?:\.\d{{1,4}})?(?!\d)"
        rf"|\d{{1,{_MAX_DIGITS}}}(?:{_DECIMAL}\d{{1,6}})?|[.,]\d{{2}})"
        rf"(?P<even>[.,]\s?[{_MINUS}\u2014]{{1,2}}(?![\w{_MINUS}]))?"
        rf"(?:(?:\s?(?:{sign_pattern()})(?=[{_MINUS}]|\s?C[Rr]\b))?"
        rf"(?:(?P<behind>[{_MINUS}](?![\w{_MINUS}]))|\s?(?P<credit>CR\b|Cr\b)))?"
        rf"(?![\d%\u066a]|[.,/{_MINUS}\u00b7]\d|\s?[%\u066a]|{_MISREAD})"
    )


def amounts(text: str, locale: Locale, start: int = 0, end: int | None = None) -> Iterator[tuple[re.Match[str], float]]:
    """The amounts in ``text[start:end]``: where each stands, and its value."""
    for match in _matches(text, locale, start, len(text) if end is None else end):
        value = value_of(match, locale)
        if value is not None:
            yield match, value


def _matches(text: str, locale: Locale, start: int, end: int) -> Iterator[re.Match[str]]:
    pattern = number_pattern()
    while match := pattern.search(text, start, end):
        # Two columns are no group of one number where the document groups by another mark.
        if match["mark"] == " " and locale.spaces_group is False:
            first = pattern.search(text, match.start(), match.start("mark"))
            match = first or match
        yield match
        start = max(match.end(), start + 1)


def value_of(match: re.Match[str], locale: Locale) -> float | None:
    """The value of a match of ``number_pattern``; None where it can be read in two ways."""
    digits = _read(match["number"], locale)
    if digits is None:
        return None
    return -digits if _is_negative(match, match["number"]) and digits else digits


def _is_negative(match: re.Match[str], number: str) -> bool:
    text, minus = match.string, match["minus"] or ""
    with_cents = re.search(rf"{_DECIMAL}\d{{2,3}}$", number) is not None
    if len(minus) > 1:
        # "Total - 12.50" has a dash, "Total: - 12.50" a minus.
        before = text[: match.start("minus")]
        if before.strip() and not before.endswith(("  ", ":", ": ", "=", "= ", "\t", "(", "\n")):
            minus = ""
    if match["open"] and text[match.end() : match.end() + 5].lstrip()[:1] != ")":
        # An amount and its currency stand within.
        closed = re.match(rf"\s?(?:{sign_pattern()})?\s?\)", text[match.end() :])
    else:
        closed = re.match(r"", text) if match["open"] else None
    return bool(minus or match["minus2"] or match["behind"] or (with_cents and (closed or match["credit"])))


def _read(written: str, locale: Locale) -> float | None:
    digits = "".join(str(unicodedata.digit(letter)) if letter.isdigit() else letter for letter in written).translate(
        _SAME_AS
    )
    marks = [letter for letter in digits if not letter.isdigit()]
    if not marks:
        return float(digits)
    last = marks[-1]
    integer, _, fraction = digits.rpartition(last)
    if len(marks) > 1 and len(set(marks)) == 1 and len(fraction) != _GROUP_DIGITS:
        return None  # 1.200.50: one of the marks was misread
    if len(set(marks)) == 1 and not _is_decimal(last, len(marks), integer, fraction, locale):
        integer, fraction = digits, "0"
    return float(re.sub(r"\D", "", integer or "0") + "." + fraction)


def _is_decimal(mark: str, count: int, integer: str, fraction: str, locale: Locale) -> bool:
    """Whether the only mark of a number, ``count`` times in it, is the one before its fraction."""
    if count > 1 or mark in " '":
        return False
    if mark == "\u2396" or len(fraction) != _GROUP_DIGITS or integer in ("", "0") or len(integer) > _GROUP_DIGITS:
        return True
    if locale.decimal_comma is not None and mark in ".,":
        return mark == ("," if locale.decimal_comma else ".")
    # Three digits after the only mark are thousands: but of dinars, amounts are not written to a tenth of a cent.
    return locale.minor_digits == _GROUP_DIGITS and mark in ".,"


def parse_amount(written: str, locale: Locale) -> float | None:
    """``"1.234,56"``, ``"1,234.56-"``, ``"€ 12"`` as a number; None when there is none."""
    return next((value for _, value in amounts(written, locale)), None)


def decimal_votes(text: str) -> dict[str, int]:
    """How often a text writes each mark before fractions, by numbers that can be read in one way only."""
    votes = {",": 0, ".": 0}
    for match in number_pattern().finditer(text):
        number = match["number"].translate(_SAME_AS)
        marks = [letter for letter in number if not letter.isdigit()]
        if not marks or marks[-1] not in ".,":
            continue
        integer, _, fraction = number.rpartition(marks[-1])
        if len(set(marks)) > 1:
            votes[marks[-1]] += 3
        elif len(marks) > 1:
            votes["," if marks[0] == "." else "."] += 3
        elif len(fraction) != _GROUP_DIGITS or integer in ("", "0"):
            votes[marks[-1]] += 1
    return votes


def groups_by_mark(text: str) -> bool:
    """Whether a text groups thousands by a mark that is no space."""
    return any((match["mark"] or " ") not in SPACES for match in number_pattern().finditer(text))


def parse_integer(written: str) -> int | None:
    """``"12"``, ``"1,234"`` as an integer; None when there is none."""
    match = re.search(rf"(?<!\w)-?\d{{1,3}}(?:{_GROUP}\d{{3}})+(?!\d)|(?<!\w)-?\d+", written)
    return int(re.sub(_GROUP, "", match[0])) if match else None
