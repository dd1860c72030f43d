"""What the fields of an invoice say of each other: sums, the order of dates, check digits.

A check is ``{"check": name, "ok": bool, "detail": text}``. One that fails makes the result not ``matched``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from docfleet.tools.builtin.field_extractor import identifiers

_CENT = 0.021
_LINE_CENT = 0.011


def checks_of(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The checks that these fields (``amount``, ``net``, ``tax``, ...) allow; fields that are absent are not checked."""
    return [{"check": name, "ok": ok, "detail": detail} for name, ok, detail in _checks(fields)]


def _checks(fields: Mapping[str, Any]) -> Iterator[tuple[str, bool, str]]:
    gross, net, tax = (fields.get(name) for name in ("amount", "net", "tax"))
    if gross is not None and net is not None and tax is not None:
        yield "net + tax = amount", abs(net + tax - gross) < _CENT, f"{net:.2f} + {tax:.2f}, amount {gross:.2f}"
    rates = fields.get("tax_lines") or []
    if rates and tax is not None:
        total = sum(line["tax"] for line in rates)
        yield "tax lines = tax", abs(total - tax) < _CENT * len(rates), f"tax lines {total:.2f}, tax {tax:.2f}"
    items = fields.get("lines") or []
    wanted = [total for total in (net, gross) if total is not None]
    if items and wanted and all(isinstance(item.get("amount"), int | float) for item in items):
        total = sum(item["amount"] for item in items)
        ok = any(abs(total - value) < _LINE_CENT * max(2, len(items)) for value in wanted)
        yield "lines = net or amount", ok, f"lines {total:.2f}, " + " or ".join(f"{value:.2f}" for value in wanted)
    date, due = fields.get("date"), fields.get("date_due")
    if date and due:
        yield "date <= date_due", date <= due, f"{date}, due {due}"
    if fields.get("iban"):
        yield "iban", identifiers.is_iban(fields["iban"]), f"check digits of {fields['iban']}"
    for name in ("seller_tax_id", "buyer_tax_id"):
        ok = identifiers.check_tax_id(fields[name]) if fields.get(name) else None
        if ok is not None:
            yield name, ok, f"check digits of {fields[name]}"
