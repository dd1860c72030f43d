"""Presets: the fields of an invoice, and currencies."""

from __future__ import annotations

from docfleet.tools.builtin.field_extractor.presets import find_currency


def test_currencies() -> None:
    assert [find_currency(text) for text in ("€ 3", "$ 3", "RM 3.00", "3")] == ["EUR", "USD", "MYR", None]
