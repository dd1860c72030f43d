"""Rules that find values in a text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docfleet.tools.builtin.field_extractor.amounts import parse_integer
from docfleet.tools.builtin.field_extractor.locale import Locale
from docfleet.tools.builtin.field_extractor.presets import apply_preset
from docfleet.tools.builtin.field_extractor.rules import Rule, find

AUTO = Locale()


@given(st.text(max_size=200))
def test_no_text_breaks_the_rules(text: str) -> None:
    for preset in ("invoice", "receipt"):
        json.dumps(apply_preset(preset, text, Locale.of(text, "auto", "auto")))
    parse_integer(text)


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
