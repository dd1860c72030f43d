"""Which values fit into a column."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from docfleet.connectors.columns import ColumnKind, ColumnType, fit, kind_of
from docfleet.core.errors import DestinationRejected

_TEXT_ARRAY = ColumnType(ColumnKind.ARRAY, item=ColumnType(ColumnKind.TEXT, length=3))


@pytest.mark.parametrize(
    ("column_type", "value", "stored"),
    [
        (ColumnType(ColumnKind.TEXT), 12, "12"),
        (ColumnType(ColumnKind.TEXT), True, "true"),
        (ColumnType(ColumnKind.TEXT), {"a": "é"}, '{"a": "é"}'),
        (ColumnType(ColumnKind.TEXT, length=3), "äöü", "äöü"),
        (ColumnType(ColumnKind.TEXT, labels=("a", "b")), "b", "b"),
        (ColumnType(ColumnKind.FLOAT), 12, 12.0),
        (ColumnType(ColumnKind.FLOAT, bits=32), 52.520008, 52.520008),
        (ColumnType(ColumnKind.INTEGER), 12.0, 12),
        (ColumnType(ColumnKind.INTEGER, bits=16), -32768, -32768),
        (ColumnType(ColumnKind.NUMBER), 0.1, 0.1),
        (ColumnType(ColumnKind.NUMBER, precision=6, scale=2), 12.5, Decimal("12.5")),
        # What a binary fraction cannot express is no digit.
        (ColumnType(ColumnKind.NUMBER, precision=6, scale=2), 0.1 + 0.2, Decimal("0.3")),
        (ColumnType(ColumnKind.JSON), "x", "x"),
        (ColumnType(ColumnKind.JSON), ["x"], ["x"]),
        (ColumnType(ColumnKind.DATE), "2024-03-05", date(2024, 3, 5)),
        (ColumnType(ColumnKind.DATE), "2024-03-05T00:00:00", date(2024, 3, 5)),
        (ColumnType(ColumnKind.TIMESTAMP), "2024-03-05T10:00:00", datetime(2024, 3, 5, 10, tzinfo=UTC)),
        (
            ColumnType(ColumnKind.TIMESTAMP, has_zone=False),
            "2024-03-05T10:00:00+02:00",
            datetime(2024, 3, 5, 8),
        ),
        (_TEXT_ARRAY, ["a", None, 1], ["a", None, "1"]),
        (_TEXT_ARRAY, [["a"], ["b"]], [["a"], ["b"]]),
        (ColumnType(ColumnKind.ARRAY, item=ColumnType(ColumnKind.JSON)), [[1], {"a": 2}], [[1], {"a": 2}]),
        (ColumnType(ColumnKind.INTEGER), None, None),
        (ColumnType(ColumnKind.OTHER), 1.5, "1.5"),
    ],
)
def test_a_value_that_fits_without_loss_is_stored(column_type: ColumnType, value: Any, stored: Any) -> None:
    assert fit("c", column_type, value) == stored


@pytest.mark.parametrize(
    ("column_type", "value"),
    [
        (ColumnType(ColumnKind.INTEGER), "12"),
        (ColumnType(ColumnKind.INTEGER), 12.5),
        (ColumnType(ColumnKind.INTEGER), True),
        (ColumnType(ColumnKind.BOOLEAN), 1),
        (ColumnType(ColumnKind.FLOAT), "x"),
        (ColumnType(ColumnKind.INTEGER), 2**63),
        (ColumnType(ColumnKind.TIMESTAMP), "soon"),
        (ColumnType(ColumnKind.DATE), "05/03/2024"),
        (ColumnType(ColumnKind.DATE), "2024-03-05T10:00:00"),
        (ColumnType(ColumnKind.BINARY), "x"),
        (ColumnType(ColumnKind.INTEGER, bits=16), 32768),
        (_TEXT_ARRAY, "a"),
        (_TEXT_ARRAY, {"a": 1}),
    ],
)
def test_a_value_that_does_not_fit_names_the_column_and_both_types(column_type: ColumnType, value: Any) -> None:
    with pytest.raises(DestinationRejected) as caught:
        fit("amount", column_type, value)
    assert "'amount'" in caught.value.message
    assert column_type.kind.value in caught.value.message
    assert type(value).__name__ in caught.value.message or "date with a time" in caught.value.message


@pytest.mark.parametrize(
    ("column_type", "value", "cause"),
    [
        (ColumnType(ColumnKind.TEXT, "varchar(3)", length=3), "abcd", r"varchar\(3\).* 4 characters"),
        (ColumnType(ColumnKind.TEXT, labels=("a", "b")), "c", "none of a, b"),
        (ColumnType(ColumnKind.NUMBER, precision=6, scale=2), 12.345, "2 digits after the point"),
        (ColumnType(ColumnKind.NUMBER, precision=6, scale=2), 10_000, "4 digits before the point"),
        (ColumnType(ColumnKind.FLOAT, bits=32), 1234567.891, "so many digits"),
        (ColumnType(ColumnKind.FLOAT, bits=32), 1e300, "so many digits"),
        (ColumnType(ColumnKind.FLOAT), 2**60 + 1, "so many digits"),
        (_TEXT_ARRAY, ["abcd"], "4 characters"),
    ],
)
def test_a_value_that_would_be_changed_is_refused(column_type: ColumnType, value: Any, cause: str) -> None:
    with pytest.raises(DestinationRejected, match=cause):
        fit("amount", column_type, value)


def test_a_large_float_is_no_matter_of_64_bits() -> None:
    assert fit("c", ColumnType(ColumnKind.FLOAT), 1e300) == 1e300


def test_a_whole_number_beyond_64_bits_becomes_text() -> None:
    assert kind_of(2**63) is ColumnKind.TEXT
    assert kind_of(2**63 - 1) is ColumnKind.INTEGER
