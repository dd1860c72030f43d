"""Whether an electronic invoice agrees with itself, and with the text that people read."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from itertools import chain, combinations
from typing import Any

from docfleet.tools.builtin.field_extractor import cldr
from docfleet.tools.builtin.field_extractor.einvoice.model import Invoice

Check = dict[str, Any]

_CENT = Decimal("0.01")
_MAX_EXTRAS = 6
# A page with fewer letters and digits is no rendering of an invoice.
_FEW_CHARACTERS = 40
_ORDINAL = r"(?:st|nd|rd|th|er|[.ºª])?"
_MONTH_NAME = r"([^\W\d_]{3,12})\.?"
_GROUP_MARK = r"[.,'`\u2019\u00b4\u066b\u066c]"
_BETWEEN = r"[\s.,/-]{0,3}(?:(?:de|del|of|di)\s{1,2})?"


def check(name: str, detail: str, *, ok: bool) -> Check:
    """One check as the result shows it."""
    return {"check": name, "ok": ok, "detail": detail}


def totals(invoice: Invoice) -> list[Check]:
    """Net and tax are the gross, lines their sum, tax lines the tax: as far as the XML states the parts."""
    found = []
    if invoice.total_currency not in (None, invoice.currency):
        detail = f"the currency is {invoice.currency}, the gross is in {invoice.total_currency}"
        found.append(check("currency", detail, ok=False))
    if invoice.gross is not None and invoice.net is not None and invoice.tax is not None:
        expected = invoice.net + invoice.tax
        found.append(
            check(
                "net_and_tax",
                f"net {invoice.net} and tax {invoice.tax} are {expected}, the gross is {invoice.gross}",
                ok=any(_near(expected + extra, invoice.gross) for extra in _sums(invoice.extras)),
            )
        )
    found += _sum("sum_of_lines", "the lines", [line.amount for line in invoice.lines], invoice.line_total)
    found += _sum("sum_of_taxes", "the tax lines", [part.tax for part in invoice.tax_lines], invoice.tax)
    return found


def _sum(name: str, what: str, parts: list[Decimal | None], stated: Decimal | None) -> list[Check]:
    """The check of a sum; none where the XML does not state each part and the sum."""
    known = [part for part in parts if part is not None]
    if not known or len(known) != len(parts) or stated is None:
        return []
    total = sum(known, Decimal())
    return [check(name, f"{what} are {total}, their stated sum is {stated}", ok=_near(total, stated, len(known)))]


def _near(one: Decimal, other: Decimal, parts: int = 1) -> bool:
    """Equal but for rounding of each part."""
    return abs(one - other) <= _CENT * parts


def _sums(amounts: tuple[Decimal, ...]) -> list[Decimal]:
    few = amounts[:_MAX_EXTRAS]
    subsets = chain.from_iterable(combinations(few, size) for size in range(len(few) + 1))
    return [sum(subset, Decimal()) for subset in subsets]


def against_text(invoice: Invoice, text: str, *, by_ocr: bool) -> list[Check]:
    """Whether number, date and gross of the XML stand in the text, in whatever notation.

    Nothing else is compared: a rendering may leave the rest out. Words that OCR read may be misread, so one value
    that is not among them proves nothing; all of them do.
    """
    text = _with_ascii_digits(unicodedata.normalize("NFKC", text))
    if len(_squashed(text)) < _FEW_CHARACTERS:
        return []
    found = []
    if invoice.number is not None:
        ok = _number_pattern(invoice.number).search(text) is not None
        found.append(check("text_number", f"invoice number {invoice.number} of the XML", ok=ok))
    if invoice.date is not None:
        ok = any(_is_month(match, invoice.date) for match in _date_pattern(invoice.date).finditer(text))
        found.append(check("text_date", f"date {invoice.date} of the XML", ok=ok))
    if invoice.gross is not None:
        # Of an invoice that is paid in part, some print only what is left.
        printed = [amount for amount in (invoice.gross, invoice.payable) if amount is not None]
        ok = any(_amount_pattern(amount).search(text) for amount in printed)
        found.append(check("text_amount", f"amount {invoice.gross} of the XML", ok=ok))
    if by_ocr and any(each["ok"] for each in found):
        return [each | _told(each) for each in found if each["ok"]]
    return [each | _told(each) for each in found]


def _told(each: Check) -> Check:
    return {"detail": f"{each['detail']} {'stands' if each['ok'] else 'does not stand'} in the text"}


def _squashed(text: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())


def _number_pattern(number: str) -> re.Pattern[str]:
    """The number in any case and with any marks; RE-1 is no part of RE-17."""
    written = _squashed(number)
    before = r"(?<!\d)" if written[:1].isdecimal() else ""
    after = r"(?!\d)" if written[-1:].isdecimal() else ""
    return re.compile(before + r"[\W_]*+".join(map(re.escape, written)) + after, re.IGNORECASE)


def _with_ascii_digits(text: str) -> str:
    foreign = {character for character in set(text) if not character.isascii() and character.isdecimal()}
    return text.translate({ord(character): str(unicodedata.decimal(character)) for character in foreign})


def _date_pattern(iso: str) -> re.Pattern[str]:
    year, month, day = iso.split("-")
    years = rf"(?:{year}|{year[2:]})"
    months = rf"(?:0?{int(month)})"
    days = rf"(?:0?{int(day)})"
    separator = r"\s?[-./\s年月]\s?"
    notations = (
        f"{days}{separator}{months}{separator}{years}",
        f"{months}{separator}{days}{separator}{years}",
        f"{years}{separator}{months}{separator}{days}",
        f"{year}{month}{day}",
        f"{day}{month}{year}",
        f"{days}{_ORDINAL}{_BETWEEN}{_MONTH_NAME}{_BETWEEN}{years}",
        rf"{_MONTH_NAME}\s{{1,3}}{days}{_ORDINAL},?\s{{1,3}}{year}",
        rf"{year}{_BETWEEN}{_MONTH_NAME}{_BETWEEN}{days}",
    )
    return re.compile("|".join(rf"(?<!\d)(?:{notation})(?!\d)" for notation in notations), re.IGNORECASE)


def _is_month(match: re.Match[str], iso: str) -> bool:
    """Whether the name in a date is that of its month; a name that no language knows may be."""
    name = next((group for group in match.groups() if group), None)
    known = cldr.months().get(name.casefold()) if name else None
    return not known or int(iso[5:7]) in known


def _amount_pattern(amount: Decimal) -> re.Pattern[str]:
    digits, _, fraction = f"{abs(amount):f}".partition(".")
    fraction = fraction.rstrip("0").ljust(2, "0")
    integer = r"[.,'`\u2019\u00b4\s]?".join(digits)
    decimals = rf"(?:[.,\u066b]\s?|\s[.,]?\s?){fraction}0*"
    if not int(fraction):
        decimals = f"(?:{decimals})?"
    # 119.00 is no part of 1.119,00, and 100 none of 100.50.
    return re.compile(rf"(?<!\d)(?<!\d{_GROUP_MARK}){integer}{decimals}(?!\d|{_GROUP_MARK}\d)")
