"""What Unicode's CLDR (through babel) knows of languages and countries: currencies, their signs, names of months.

Reading it takes a quarter of a second; ``preload`` pays for it once.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

from babel import Locale as Language
from babel import UnknownLocaleError, localedata
from babel.core import get_global
from babel.languages import get_official_languages
from babel.numbers import get_currency_precision, get_territory_currencies, list_currencies

# The languages whose names of months are known: those of Europe, and the largest of the world beyond.
LANGUAGES = (
    "en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "nb", "nn", "fi", "is", "fo", "pl", "cs", "sk", "hu",
    "ro", "bg", "hr", "sl", "sr", "sr_Latn", "bs", "bs_Cyrl", "mk", "sq", "el", "tr", "ru", "uk", "be", "lt",
    "lv", "et", "mt", "ga", "cy", "ca", "eu", "gl", "lb", "rm", "ka", "hy", "az", "kk", "ar", "fa", "he", "ur",
    "hi", "bn", "mr", "ta", "te", "th", "ja", "zh", "ko", "id", "ms", "vi", "fil", "sw", "af",
)  # fmt: skip
# Written by people, and not in the CLDR.
_CUSTOMARY_SIGNS = {
    "S$": ("SGD",), "C$": ("CAD", "NIO"), "AU$": ("AUD",), "RMB": ("CNY",), "元": ("CNY", "TWD"), "円": ("JPY",),
    "руб": ("RUB",), "р.": ("RUB",), "грн": ("UAH",), "TL": ("TRY",), "lei": ("RON", "MDL"), "Lei": ("RON", "MDL"),
    "лв": ("BGN",), "дин": ("RSD",), "din": ("RSD",), "Rs": ("INR", "PKR", "LKR", "NPR", "MUR"),
    "Rs.": ("INR", "PKR", "LKR", "NPR", "MUR"), "Fr.": ("CHF",), "SFr.": ("CHF",), "sFr.": ("CHF",),
    "kr": ("SEK", "NOK", "DKK", "ISK"), "kr.": ("SEK", "NOK", "DKK", "ISK"), "Kr": ("SEK", "NOK", "DKK", "ISK"),
    "Kr.": ("SEK", "NOK", "DKK", "ISK"), "Euro": ("EUR",), "Euros": ("EUR",), "euro": ("EUR",), "euros": ("EUR",),
    "zl": ("PLN",), "Kc": ("CZK",), "원": ("KRW",), "บาท": ("THB",), "đ": ("VND",), "VNĐ": ("VND",), "ریال": ("IRR",),
    "₨": ("INR", "PKR", "LKR", "NPR", "MUR"), "Dhs": ("AED",), "Dhs.": ("AED",),
    "KSh": ("KES",), "Ksh.": ("KES",), "U$S": ("USD",), "¢": (),
}  # fmt: skip
# Written so by other languages than those that the CLDR has, by receipts, and without accents.
_CUSTOMARY_MONTHS = {
    "sept": 9, "mac": 3, "ogos": 8, "disember": 12, "oct": 10, "dec": 12, "mrz": 3, "jänner": 1, "feber": 2,
}  # fmt: skip
_FORMATTING = re.compile("[\u200b-\u200f\u2066-\u2069]")


def currency_codes() -> frozenset[str]:
    """The codes of ISO 4217 that a country uses today."""
    return frozenset(code for codes in _territory_currencies().values() for code in codes)


def minor_digits(code: str | None) -> int:
    """How many digits the minor unit of a currency has: two, none (yen) or three (dinars)."""
    return get_currency_precision(code) if code else 2


@cache
def _territory_currencies() -> dict[str, tuple[str, ...]]:
    countries = (country for country in get_global("territory_currencies") if re.fullmatch("[A-Z]{2}", country))
    return {country: tuple(get_territory_currencies(country)) for country in countries}


def currencies_of(country: str) -> tuple[str, ...]:
    """The currencies of a country (ISO 3166) today."""
    return _territory_currencies().get(country, ())


def _locales_of(country: str) -> Iterator[str]:
    """The locales in which a country's people write, and English of everywhere."""
    for language in get_official_languages(country, de_facto=True)[:2]:
        yield from (name for name in (f"{language}_{country}", language) if localedata.exists(name))
    yield from (name for name in (f"en_{country}", "en") if localedata.exists(name))


@cache
def currency_signs() -> dict[str, frozenset[str]]:
    """The currencies that a sign stands for: ``$`` for many, ``zł`` for one."""
    signs: defaultdict[str, set[str]] = defaultdict(set)
    for country, codes in _territory_currencies().items():
        for name in _locales_of(country):
            known = Language.parse(name).currency_symbols
            for code in codes:
                sign = _FORMATTING.sub("", known.get(code, "")).strip()
                if sign and sign not in list_currencies():
                    signs[sign].add(code)
                    signs[unicodedata.normalize("NFKC", sign)].add(code)
    for sign, also in _CUSTOMARY_SIGNS.items():
        signs[sign].update(also)
    return {sign: frozenset(codes) for sign, codes in signs.items() if codes}


def bare(word: str) -> str:
    """``word`` in small letters, without accents and the dot of an abbreviation."""
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).strip(" .'\u2019")


@cache
def months() -> dict[str, dict[int, frozenset[str]]]:
    """The months that a word names, each with its languages: *listopad* is November, in Croatian October."""
    names: defaultdict[str, defaultdict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for code in LANGUAGES:
        for forms in Language.parse(code).months.values():
            for width in ("wide", "abbreviated"):
                for number, name in forms.get(width, {}).items():
                    for word in {bare(name), name.casefold().strip(" .")}:
                        if len(word) > 1 and not any(letter.isdigit() for letter in word):
                            names[word][number].add(code.partition("_")[0])
    for word, number in _CUSTOMARY_MONTHS.items():
        names[word][number].add("en")
    localedata._cache.clear()
    return {word: {number: frozenset(codes) for number, codes in by.items()} for word, by in names.items()}


@cache
def country_names() -> dict[str, str]:
    """Countries by their names in English and in their own languages, in small letters."""
    names: dict[str, str] = {}
    for country in _territory_currencies():
        for code in ("en", *get_official_languages(country, de_facto=True)[:3]):
            with contextlib.suppress(UnknownLocaleError, ValueError):
                name = Language.parse(code).territories.get(country, "")
                if len(name) > 3 or (name and not name.isascii()):
                    names.setdefault(name.casefold(), country)
    localedata._cache.clear()
    return names
