"""Values as the schemas write them."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from docfleet.tools.builtin.field_extractor.einvoice import model


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("119.00", "119.00"),
        (" -0.5 ", "-0.5"),
        ("+7", "7"),
        (".5", "0.5"),
        ("119,00", "119.00"),
        ("1,190", None),
        ("1,190.00", None),
        ("1.190,00", None),
        ("1e3", None),
        ("NaN", None),
        ("\u0661", None),
        ("", None),
        ("9" * 40, None),
    ],
)
def test_a_number_is_read_in_one_way_or_not_at_all(written: str, expected: str | None) -> None:
    assert model.decimal(written) == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("20240305", "2024-03-05"),
        ("2024-03-05", "2024-03-05"),
        ("2024-03-05Z", "2024-03-05"),
        ("2024-03-05T10:00:00+01:00", "2024-03-05"),
        ("202403051200", "2024-03-05"),
        ("20240305120000", "2024-03-05"),
        ("5.3.2024", "2024-03-05"),
        ("05/03/2024", None),
        ("20240231", None),
        ("202403", None),
        ("", None),
    ],
)
def test_a_date_is_read_in_one_way_or_not_at_all(written: str, expected: str | None) -> None:
    assert model.date(written) == expected


def test_an_amount_is_written_as_it_stands() -> None:
    invoice = model.Invoice(gross=Decimal("1234567890123.45"), tax=Decimal("-0.00"))
    assert json.dumps(invoice.fields()) == '{"amount": 1234567890123.45, "tax": 0.0, "kind": "invoice"}'


def test_only_an_iban_is_one() -> None:
    assert model.iban(None, "12345 67", "de02 1203 0000 0000 2020 51") == "DE02120300000000202051"
    assert model.iban("12345 67") is None
