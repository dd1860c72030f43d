"""IBAN and tax identifiers in a text; python-stdnum knows their forms and check digits."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_IBAN = re.compile(r"(?<![^\W_])[A-Z]{2}\d{2}(?:[ \xa0]?[A-Z0-9]{2,4}){3,8}(?:[ \xa0]?[A-Z0-9]{1,3})?(?![^\W_])")
_LABELLED_IBAN = re.compile(r"IBAN[\w.-]*[\s:.]{0,20}$", re.IGNORECASE)
TAX_ID = re.compile(
    r"(?<![^\W_])(?P<id>[A-Z]{2,3}[ -]?(?=[\dA-Z])[\dA-Z](?:[ .\-/]?[\dA-Z]){6,14}|\d(?:[ .\-/]?\d){6,14})(?![^\W_])"
)
_EUROPEAN = {
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "EL", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU",
    "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "XI",
}  # fmt: skip
_SPACE = re.compile(r"[\s.\-/]")


@cache
def _iban() -> Any:
    from stdnum import iban

    return iban


def is_iban(written: str) -> bool:
    """Whether country, length and check digits (mod 97) of an IBAN are right."""
    return bool(_iban().is_valid(written, check_country=False))


def iban_of(text: str) -> str | None:
    """The first IBAN whose check digits are right, else the first that is labelled as one, without spaces."""
    wrong = None
    for match in _IBAN.finditer(text):
        # What follows in the line may look like its last group.
        groups = re.split(r"[ \xa0]", match[0])
        for count in range(len(groups), 0, -1):
            written = "".join(groups[:count])
            if len(written) >= 15 and is_iban(written):
                return written
        if wrong is None and _LABELLED_IBAN.search(text[max(0, match.start() - 40) : match.start()]):
            wrong = "".join(groups)
    return wrong


@cache
def _vat_module(country: str) -> Any:
    from stdnum import get_cc_module

    return get_cc_module(country, "vat")


def compact(written: str) -> str:
    """A tax identifier without spaces and marks."""
    return _SPACE.sub("", written).upper()


def check_tax_id(identifier: str) -> bool | None:
    """Whether the check digits of a tax identifier with its country are right; None where nothing is known of it."""
    country = identifier[:2]
    if not country.isalpha():
        return None
    module = _vat_module("GR" if country == "EL" else "GB" if country == "XI" else country)
    if module is None:
        return None
    valid = bool(module.is_valid(identifier))
    return valid if valid or country in _EUROPEAN else None
