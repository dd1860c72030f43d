"""The items of an invoice: lines whose quantity times price is their amount, and that add up to the total."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import permutations
from typing import Any

from docfleet.tools.builtin.field_extractor.amounts import amounts
from docfleet.tools.builtin.field_extractor.reading import Reading
from docfleet.tools.builtin.field_extractor.totals import Totals

_CENT = 0.011
_MAX_NUMBERS = 10
_MAX_ITEMS = 500
_TOTALS = ("gross", "payable", "net", "total")


def items_of(reading: Reading, totals: Totals) -> list[dict[str, Any]]:
    """The items as ``{description, quantity, unit_price, amount}``; empty unless they add up to net or gross."""
    items = list(_rows(reading))[:_MAX_ITEMS]
    wanted = [total for total in (totals.net, totals.gross) if total is not None]
    total = sum(item["amount"] for item in items)
    return items if items and any(abs(total - value) < _CENT for value in wanted) else []


def _rows(reading: Reading) -> Iterator[dict[str, Any]]:
    start = 0
    for line in reading.text.split("\n"):
        end = start + len(line)
        row = None if any(reading.within(start, end, *_TOTALS)) else _row(reading, start, end)
        if row is not None:
            yield row
        start = end + 1


def _row(reading: Reading, start: int, end: int) -> dict[str, Any] | None:
    found = list(amounts(reading.text, reading.locale, start, end))[:_MAX_NUMBERS]
    if len(found) < 3:
        return None
    values = [value for _, value in found]
    # The amount is the last number that a quantity and a price, in either order, make.
    for last in range(len(found) - 1, 1, -1):
        for one, other in permutations(range(last), 2):
            if (
                one < other
                and values[last]
                and abs(values[one] * values[other] - values[last]) < _CENT
                and _has_cents(found[last][0])
            ):
                words = [
                    cell.strip()
                    for cell in re.split(r"\s{2,}", _without_numbers(reading.text[start:end]))
                    if re.search(r"[^\W\d_]{2}", cell)
                ]
                if not words:
                    return None
                quantity, price = _quantity_first(found[one][0], found[other][0], values[one], values[other])
                return {
                    "description": max(words, key=len),
                    "quantity": quantity,
                    "unit_price": price,
                    "amount": values[last],
                }
    return None


def _has_cents(match: re.Match[str]) -> bool:
    return re.search(r"\d\D\d{2}$", match["number"]) is not None


def _quantity_first(one: re.Match[str], other: re.Match[str], first: float, second: float) -> tuple[float, float]:
    """Which is the quantity: the number without a fraction or with a unit behind it; else the first."""
    text = one.string
    unit = r"\s?(?:[^\W\d_]{1,6}\.?|m[²³])(?:\s{2}|\s*$|\s\d)"
    if re.match(unit, text[other.end() :]) and not re.match(unit, text[one.end() :]):
        return second, first
    if _has_cents(one) and not re.search(r"\D\d+$", other["number"]):
        return second, first
    return first, second


def _without_numbers(line: str) -> str:
    return re.sub(r"(?<!\S)[^\w\s]?[\d.,'%-]+\s?[%€$£]?(?!\S)", "  ", line)
