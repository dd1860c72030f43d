"""Ready-made fields of invoices and receipts, in the languages of Europe and the largest beyond."""

from __future__ import annotations

from typing import Any

from docfleet.tools.builtin.field_extractor import identifiers, invoices, items, labels, parties, receipts, totals
from docfleet.tools.builtin.field_extractor.currencies import find_currency
from docfleet.tools.builtin.field_extractor.locale import Locale
from docfleet.tools.builtin.field_extractor.reading import Reading

REQUIRED = {"invoice": ("invoice_number", "date", "amount"), "receipt": ("date", "total"), "none": ()}

_LABELLED = {
    "invoice_number": ("document", "credit"), "date": ("issued", "date"), "date_due": ("due",),
    "amount": ("gross", "payable", "total"), "total": ("gross", "payable", "total"), "net": ("net",), "tax": ("tax",),
    "seller": ("seller",), "buyer": ("buyer",), "seller_tax_id": ("vat_id",), "buyer_tax_id": ("vat_id",),
}  # fmt: skip


def apply_preset(preset: str, text: str, locale: Locale) -> dict[str, Any]:
    """The ready-made fields by name; a field that is not in ``text``, or that may be two values, is absent."""
    if preset == "none":
        return {}
    reading = Reading(text, locale)
    found = _invoice(reading) if preset == "invoice" else _receipt(reading)
    return {name: value for name, value in found.items() if value is not None and value != []}


def labels_of(preset: str) -> dict[str, tuple[str, ...]]:
    """The labels of the ready-made fields, by field: evidence looks for values near them."""
    return {} if preset == "none" else {name: _labels(*fields) for name, fields in _LABELLED.items()}


def _labels(*fields: str) -> tuple[str, ...]:
    return tuple(label for field in fields for label in labels.of_field(field))


def _invoice(reading: Reading) -> dict[str, Any]:
    who = parties.parties_of(reading)
    kind = invoices.kind_of(reading)
    sums = totals.totals_of(reading)
    currency = find_currency(reading.text, dict(reading.locale.countries), labels.of_field("currency"), near=sums.line)
    if sums.gross is not None and sums.gross < 0:
        kind = "credit_note"
    # Credit notes print what they give back with a minus or without: here it is always negative.
    sign = -1 if kind == "credit_note" and (sums.gross or 0) > 0 else 1
    lines = items.items_of(reading, sums)
    for item in lines:
        item["quantity"], item["amount"] = sign * item["quantity"], sign * item["amount"]
    sums = sums.times(sign)
    return {
        "kind": kind,
        "invoice_number": invoices.number_of(reading, kind),
        "date": invoices.date_of(reading, kind),
        "date_due": invoices.due_of(reading),
        "currency": currency,
        "amount": sums.gross,
        "net": sums.net,
        "tax": sums.tax,
        "tax_lines": totals.tax_lines_of(reading, sums),
        "seller": who.seller,
        "seller_tax_id": who.seller_tax_id,
        "buyer": who.buyer,
        "buyer_tax_id": who.buyer_tax_id,
        "iban": identifiers.iban_of(reading.text),
        "lines": lines,
    }


def _receipt(reading: Reading) -> dict[str, Any]:
    return {
        "company": receipts.company_of(reading),
        "address": receipts.address_of(reading),
        "date": receipts.date_of(reading),
        "total": receipts.total_of(reading),
        "currency": find_currency(reading.text, dict(reading.locale.countries), labels.of_field("currency")),
    }
