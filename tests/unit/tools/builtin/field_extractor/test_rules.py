"""Rules that find values in a text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docfleet.tools.builtin.field_extractor.presets import apply_preset
from docfleet.tools.builtin.field_extractor.rules import Rule, find
from docfleet.tools.builtin.field_extractor.values import Locale, parse_integer
from tests.unit.tools.builtin.invoice import INVOICE

AUTO = Locale()


@given(st.text(max_size=200))
def test_no_text_breaks_the_rules(text: str) -> None:
    for preset in ("invoice", "receipt"):
        json.dumps(apply_preset(preset, text, Locale.of(text, "auto", "auto")))
    parse_integer(text)


def test_values_beside_and_below_their_labels() -> None:
    found = apply_preset("invoice", INVOICE, Locale.of(INVOICE, "auto", "auto"))
    assert found == {"invoice_number": "HL/2026-17", "date": "2026-02-03", "amount": 23.8, "currency": "EUR"}


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (Rule("n", "integer", labels=("Qty",)), 12),
        (Rule("n", "text", labels=("absent", "Ship to")), "Anna Müller"),
        (Rule("n", "text", regex=r"^Ref: (\w+)"), "R7"),
        (Rule("n", "text", regex=r"R\d"), "R7"),
        (Rule("n", "amount", labels=("Fee",)), 0.0),
        (Rule("n", "date", labels=("Qty",)), None),
        (Rule("n", "text", labels=("hip",)), None),
    ],
)
def test_own_rules(rule: Rule, value: Any) -> None:
    assert find(rule, "Qty: 12   SHIP TO:  Anna Müller    x\nRef: R7\nFee  0,00\n", AUTO) == value


def test_a_word_in_a_phrase_is_no_heading() -> None:
    text = "Copy invoice\nCustomer   Invoice date   Invoice   Due\nC-77       08-09-2022     VF1005    22-09-2022\n"
    assert apply_preset("invoice", text, AUTO)["invoice_number"] == "VF1005"
