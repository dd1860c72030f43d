"""Receipts, as OCR reads them."""

from __future__ import annotations

from typing import Any

import pytest

from docfleet.tools.builtin.field_extractor.presets import apply_preset
from docfleet.tools.builtin.field_extractor.tool import locale_of

RECEIPT = """
      HARBOUR LIGHT (NORTH QUAY)
      SDN BHD
         123456-X
   NO. 12, JALAN PANTAI 3/4,
      TAMAN LAUT
      81100 J0HOR BAHRU,
      JOHOR.
   TEL: 07-1234567
   DATE: 14-03-202412:22:06
   Lamp  1 x 8.93              8.93
   SUB TOTAL                   8.93
   Rounding Adj               -0.03
   {total}
   CASH                       10.00
   CHANGE                      1.10
"""


def receipt(text: str) -> dict[str, Any]:
    return apply_preset("receipt", text, locale_of(text, {"decimal_comma": "auto", "day_first": "auto"}))


def test_shop_address_date_and_total() -> None:
    found = receipt(RECEIPT.format(total="Total Rounded     RM 8.90"))
    assert found["company"] == "HARBOUR LIGHT (NORTH QUAY) SDN BHD"
    assert found["address"] == "NO. 12, JALAN PANTAI 3/4, TAMAN LAUT 81100 JOHOR BAHRU, JOHOR."
    assert (found["date"], found["total"], found["currency"]) == ("2024-03-14", 8.9, "MYR")


@pytest.mark.parametrize(
    "lines",
    [
        "Total   8.93\n   Total after rounding   8.90",
        "TOTAL   8.90",
        "Total Qty: 1\n   Net Total  8.90\n   Total GST  0.51",
    ],
)
def test_the_total_is_what_was_paid(lines: str) -> None:
    assert receipt(RECEIPT.format(total=lines))["total"] == 8.9


def test_a_till_prints_cents() -> None:
    assert "total" not in receipt("Shop\nTotal 3 items\nTOTAL 81100")
