"""The column of a field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docfleet.connectors.column_names import MAX_NAME_BYTES, SYSTEM_COLUMNS, column_name, columns_of
from docfleet.core.errors import DestinationRejected

OURS = {"id", "status", "metadata", *SYSTEM_COLUMNS}


@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("invoice_number", "invoice_number"),
        ("Invoice Number", "Invoice_Number"),
        ("2nd", "_2nd"),
        ("請求番号", "請求番号"),
        ("Größe", "Größe"),
        ("Gro\u0308ße", "Größe"),
        ("Дата счёта", "Дата_счёта"),
        ("कुल राशि", "कुल_राशि"),
        ("Status", "Status_field"),
        ("xmin", "xmin_field"),
    ],
)
def test_a_name_that_can_be_a_column_is_one(field: str, column: str) -> None:
    assert column_name(field, OURS) == column


@pytest.mark.parametrize(
    "alike",
    [
        ("Total (net)", "Total [net]", "Total net", "Total-net", "Total: net", "Total  net", " Total net"),
        ("status", "status_field"),
        ("", " ", "!", "?", "€", "%"),
        ("金額\uff08税込\uff09", "金額\uff08税抜\uff09", "金額"),
        ("a" * 70, "a" * 71, "a" * 63),
        ("請求" * 20, "請求" * 21),
        ("1.5", "1,5", "15"),
    ],
)
def test_names_that_are_alike_are_columns_of_their_own(alike: tuple[str, ...]) -> None:
    names = {column_name(field, OURS).casefold() for field in alike}
    assert len(names) == len(alike) and all(len(name.encode()) <= MAX_NAME_BYTES for name in names)


@given(st.dictionaries(st.text(max_size=80), st.integers(), max_size=30))
def test_a_field_has_the_same_column_whatever_else_a_result_has(result: dict[str, int]) -> None:
    for field in result:
        name = column_name(field, OURS)
        assert name.isidentifier() and len(name.encode("utf-8")) <= MAX_NAME_BYTES
        assert name.casefold() not in OURS
        assert list(columns_of({field: 1}, OURS)) == [name]
    try:
        columns = columns_of(result, OURS)
    except DestinationRejected:
        return
    assert {columns[column_name(field, OURS)]: field for field in result}.keys() == set(result.values())


def test_two_fields_of_one_column_are_refused_and_named() -> None:
    with pytest.raises(DestinationRejected, match="'Total' and 'total'"):
        columns_of({"Total": 1, "total": 2}, OURS)
