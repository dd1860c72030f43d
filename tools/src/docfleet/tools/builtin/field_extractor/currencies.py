"""The currency of a document, by codes and signs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache

from docfleet.tools.builtin.field_extractor import cldr

# What a sign means where nothing in the document says which country's it is.
_USUAL = {"$": "USD", "£": "GBP"}
# Signs of two letters that are no other word.
_SAFE_LETTERS = {"RM", "Rp", "TL", "Rs", "Rs.", "kr", "kr.", "Kr", "Kr.", "Ft", "Fr.", "zl", "Kc", "NT$", "DT", "DA"}
_BEFORE = 8
_NAMED, _BESIDE, _ANYWHERE, _PREFERRED = 20, 3, 1, 6
_MAJOR = r"EUR|USD|GBP|CHF"
# Codes that are words, too, count beside an amount with cents only.
_WORDS = re.compile("ALL|TOP|TRY|MAD|CUP|PEN|BOB|SOS|GEL|LAK|COP|MOP|ANG|BAM|CAD|INR|LEK|ERN|ETB|GIP|RUB|KID|STN|PAB")
_CENTS = r"\d[.,]\d{2}[)\-]?\s?(?:\S{1,3}\s)?$"
_NEAR_NUMBER = r"\(?[-\u2212\u2013]?\s?[\d.,]"


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    codes = "|".join(sorted(cldr.currency_codes()))
    signs = "|".join(re.escape(sign) for sign in sorted(cldr.currency_signs(), key=lambda sign: (-len(sign), sign)))
    by_sign = rf"(?<![^\W\d_])(?<!\$)(?P<sign>{signs})(?![^\W\d_])(?!\$)"
    by_code = rf"(?<![^\W_])(?P<code>{codes})(?![^\W\d_])|(?<=\d)(?P<behind>{codes})(?![^\W_])"
    return re.compile(by_sign), re.compile(by_code)


@cache
def _named_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    codes = "|".join(sorted(cldr.currency_codes()))
    return re.compile(rf"(?i:(?<!\w)(?:{names}))\s*[:=.]?\s{{0,60}}(?P<code>{codes})(?![^\W_])")


def find_currency(
    text: str,
    countries: Mapping[str, int] | None = None,
    labels: tuple[str, ...] = ("currency",),
    near: str = "",
) -> str | None:
    """The currency that amounts of ``text`` are in, as an ISO 4217 code; None when none is named, or several may be.

    ``countries`` weighs where the document is from; ``labels`` name the currency; ``near`` is the line of the total.
    """
    named = [match["code"] for match in _named_pattern(labels).finditer(text)]
    if named:
        return named[0]
    counts = _codes(text)
    counts.update({code: count * _PREFERRED for code, count in _codes(near).items()} if near else {})
    signs = Counter[str]()
    for part, weight in ((text, 1), (near, _PREFERRED)):
        for match in _patterns()[0].finditer(part):
            if _counts(match, countries or {}, counts):
                signs[match["sign"]] += _BESIDE * weight
    for sign, count in signs.items():
        code = _resolve(sign, counts, countries or {})
        if code:
            counts[code] += count
        elif not any(named in counts for named in cldr.currency_signs()[sign]):
            counts[f"?{sign}"] += count
    best = max(counts, key=lambda code: counts[code], default=None)
    return None if best is None or best.startswith("?") else best


def _codes(text: str) -> Counter[str]:
    counts = Counter[str]()
    for match in _patterns()[1].finditer(text):
        code = match["code"] or match["behind"]
        before, after = text[max(0, match.start() - _BEFORE) : match.start()], text[match.end() : match.end() + _BEFORE]
        if _WORDS.fullmatch(code):
            beside = re.match(r"[\s:]{0,2}-?[\d.,']+[.,]\d{2}", text[match.end() :]) or re.search(_CENTS, before)
        else:
            beside = re.match(rf"[\s:]{{0,2}}{_NEAR_NUMBER}", after) or re.search(r"\d[)\-]?\s?(?:\S{1,3}\s)?$", before)
        if (
            match["behind"]
            or beside
            or (before.endswith("(") and after.startswith(")"))
            or (before[-3:] in ("in ", "en ") and len(code) == 3)
        ):
            counts[code] += _BESIDE
        elif re.fullmatch(_MAJOR, code):
            counts[code] += _ANYWHERE
    return counts


def _counts(match: re.Match[str], countries: Mapping[str, int], codes: Mapping[str, int]) -> bool:
    """Whether a sign stands for a currency here: letters only beside a number, few letters only with more evidence."""
    sign, text = match["sign"], match.string
    if not any(letter.isalpha() for letter in sign):
        return True
    before, after = text[max(0, match.start() - _BEFORE) : match.start()], text[match.end() : match.end() + _BEFORE]
    beside = re.match(rf"[\s.:]{{0,2}}{_NEAR_NUMBER}", after) or re.search(r"\d[)\-]?\s?$", before)
    if not beside and not (before.endswith("(") and after.startswith(")")):
        return False
    if len(sign.strip(".")) > 2 or not sign.isascii() or not sign.replace(".", "").isalpha() or sign in _SAFE_LETTERS:
        return True
    known = cldr.currency_signs()[sign]
    return any(code in codes for code in known) or bool(known & _local(countries))


def _local(countries: Mapping[str, int]) -> set[str]:
    return {code for country in countries for code in cldr.currencies_of(country)}


def _resolve(sign: str, codes: Mapping[str, int], countries: Mapping[str, int]) -> str | None:
    known = cldr.currency_signs()[sign]
    if len(known) == 1:
        return next(iter(known))
    for evidence in (set(codes), _strongest(countries, known)):
        both = known & evidence
        if len(both) == 1:
            return next(iter(both))
        if both:
            return None
    return _USUAL.get(sign)


def _strongest(countries: Mapping[str, int], known: frozenset[str]) -> set[str]:
    """The currencies, of those ``known``, of the countries for which most speaks."""
    weights = Counter[str]()
    for country, weight in countries.items():
        for code in cldr.currencies_of(country):
            if code in known:
                weights[code] += weight
    most = max(weights.values(), default=0)
    return {code for code, weight in weights.items() if weight == most}
