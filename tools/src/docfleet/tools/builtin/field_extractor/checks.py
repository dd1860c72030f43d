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
    """The checks that these fields (``amount``, ``net``, ...) allow; what is absent is not checked."""
    return [{"check": name, "ok": ok, "detail": detail} for name, ok, detail in _checks(fields)]


def _checks(fields: Mapping[str, Any]) -> Iterator[tuple[str, bool, str]]:
    gross, net, tax = (fields.get(name) for name in ("amount", "net", "tax"))
    if gross is not None and net is not None and tax is not None:
        detail = f"net {net:.2f} and tax {tax:.2f} are {net + tax:.2f}, the amount is {gross:.2f}"
        yield "net_and_tax", abs(net + tax - gross) < _CENT, detail
    rates = fields.get("tax_lines") or []
    if rates and tax is not None:
        total = sum(line["tax"] for line in rates)
        detail = f"the tax_lines are {total:.2f}, the tax is {tax:.2f}"
        yield "sum_of_taxes", abs(total - tax) < _CENT * len(rates), detail
    items = fields.get("lines") or []
    wanted = [total for total in (net, gross) if total is not None]
    if items and wanted and all(isinstance(item.get("amount"), int | float) for item in items):
        total = sum(item["amount"] for item in items)
        ok = any(abs(total - value) < _LINE_CENT * max(2, len(items)) for value in wanted)
        yield (
            "sum_of_lines",
            ok,
            f"the lines are {total:.2f}, " + " or ".join(f"{value:.2f}" for value in wanted) + " is stated",
        )
    date, due = fields.get("date"), fields.get("date_due")
    if date and due:
        yield "order_of_dates", date <= due, f"date {date}, date_due {due}"
    if fields.get("iban"):
        yield "iban", identifiers.is_iban(fields["iban"]), f"the check digits of iban {fields['iban']}"
    for name in ("seller_tax_id", "buyer_tax_id"):
        right = identifiers.check_tax_id(fields[name]) if fields.get(name) else None
        if right is not None:
            yield name, right, f"the check digits of {name} {fields[name]}"
