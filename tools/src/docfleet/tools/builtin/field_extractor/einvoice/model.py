"""What an electronic invoice says, whatever its syntax, and the fields of the preset ``invoice`` it becomes."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lxml.etree import _Element

_DECIMAL = re.compile(r"[+-]?(?:\d{1,24}(?:\.\d{0,24})?|\.\d{1,24})", re.ASCII)
# The schemas allow a point only. A comma before exactly two digits can be read in one way, too.
_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,24},\d{2}", re.ASCII)
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?!\d)", re.ASCII)
_DIGITS_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\d{4}|\d{6})?(?:[+-]\d{4}|Z)?", re.ASCII)
_DOTTED_DATE = re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})", re.ASCII)
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}")
_PRICE_DIGITS = 10
# UNTDID 1001, the codes EN 16931 calls credit notes, and those for self-billed and factored ones.
CREDIT_NOTE_CODES = frozenset({"81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "502", "503", "532"})


@dataclass(slots=True)
class TaxLine:
    """The part of the invoice that is taxed at one rate, in percent."""

    rate: Decimal | None
    net: Decimal | None
    tax: Decimal | None


@dataclass(slots=True)
class InvoiceLine:
    """One item of the invoice; ``unit_price`` is the net price of one unit."""

    description: str | None
    quantity: Decimal | None
    unit_price: Decimal | None
    amount: Decimal | None


@dataclass(slots=True)
class Invoice:
    """One invoice as its XML states it; what it does not state is None or empty."""

    number: str | None = None
    date: str | None = None
    date_due: str | None = None
    currency: str | None = None
    total_currency: str | None = None
    """What the gross says of itself, where it says anything."""
    is_credit_note: bool = False
    """By its type code. Its amounts may be written with either sign."""
    gross: Decimal | None = None
    net: Decimal | None = None
    tax: Decimal | None = None
    payable: Decimal | None = None
    """What is left to pay after what was paid in advance."""
    line_total: Decimal | None = None
    """The sum of the lines as stated, before allowances and charges of the document."""
    extras: tuple[Decimal, ...] = ()
    """Amounts that may be part of the gross beside net and tax: rounding, stamp duty."""
    tax_lines: list[TaxLine] = field(default_factory=list)
    seller: str | None = None
    seller_tax_id: str | None = None
    buyer: str | None = None
    buyer_tax_id: str | None = None
    iban: str | None = None
    lines: list[InvoiceLine] = field(default_factory=list)

    def fields(self) -> dict[str, Any]:
        """The fields of the preset ``invoice``; what is not stated is absent. Amounts of a credit note are negative."""
        credit = self.is_credit_note or (self.gross is not None and self.gross < 0)
        # Most credit notes state what is given back as a positive amount, some as a negative one.
        sign = -1 if credit and self.gross is not None and self.gross > 0 else 1
        values: dict[str, Any] = {
            "invoice_number": self.number,
            "date": self.date,
            "date_due": self.date_due,
            "currency": self.currency,
            "amount": _number(self.gross, sign),
            "net": _number(self.net, sign),
            "tax": _number(self.tax, sign),
            "tax_lines": [
                _stated({"rate": _number(part.rate), "net": _number(part.net, sign), "tax": _number(part.tax, sign)})
                for part in self.tax_lines
            ],
            "seller": self.seller,
            "seller_tax_id": self.seller_tax_id,
            "buyer": self.buyer,
            "buyer_tax_id": self.buyer_tax_id,
            "iban": self.iban,
            "lines": [
                _stated(
                    {
                        "description": line.description,
                        "quantity": _number(line.quantity, sign),
                        "unit_price": _number(line.unit_price),
                        "amount": _number(line.amount, sign),
                    }
                )
                for line in self.lines
            ],
            "kind": "credit_note" if credit else "invoice",
        }
        return _stated(values)


def _stated(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != []}


def _number(value: Decimal | None, sign: int = 1) -> float | None:
    """The nearest float, whose shortest notation is the decimal itself for everything up to 15 digits."""
    if value is None:
        return None
    number = float(value * sign)
    return number if number else 0.0  # no -0.0


def decimal(text: str | None) -> Decimal | None:
    """``text`` as the schemas write a number; None for anything else, as a guess would be a wrong amount."""
    written = "".join((text or "").split())
    if _DECIMAL_COMMA.fullmatch(written):
        return Decimal(written.replace(",", "."))
    return Decimal(written) if _DECIMAL.fullmatch(written) else None


def date(text: str | None) -> str | None:
    """A date in ISO 8601, in the digits of UN/EDIFACT (formats 102, 203, 204) or dotted, as ``YYYY-MM-DD``."""
    written = (text or "").strip()
    match = _ISO_DATE.match(written) or _DIGITS_DATE.fullmatch(written)
    if match is not None:
        year, month, day = match.groups()
    elif (match := _DOTTED_DATE.fullmatch(written)) is not None:
        year, month, day = match["year"], match["month"], match["day"]
    else:
        return None
    try:
        return datetime.date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None


def latest(dates: list[str | None]) -> str | None:
    """The date by which all has to be paid: of several, earlier ones are instalments or dates of a discount."""
    return max((each for each in dates if each is not None), default=None)


def stated_in(currency: str | None, amounts: list[_Element]) -> _Element | None:
    """Of an amount that is stated in several currencies, the one in ``currency``; else the first."""
    own = [amount for amount in amounts if amount.get("currencyID") == currency]
    return next(iter([*own, *amounts]), None)


def currency(text: str | None) -> str | None:
    """An ISO 4217 code, or None."""
    code = (text or "").strip().upper()
    return code if re.fullmatch("[A-Z]{3}", code) else None


def iban(*accounts: str | None) -> str | None:
    """The first account that is written as an IBAN, without spaces."""
    written = ("".join((account or "").split()).upper() for account in accounts)
    return next((each for each in written if _IBAN.fullmatch(each)), None)


def unit_price(price: Decimal | None, per: Decimal | None) -> Decimal | None:
    """The price of one unit, where ``price`` is that of ``per`` units."""
    if price is None or per in (None, 1) or not per:
        return price
    return round(price / per, _PRICE_DIGITS)
