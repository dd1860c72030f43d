"""The shape of rows: columns, kinds, fitting."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docfleet.connectors.base import IDENTIFIER, ColumnMode, DeliveryRow, TableSettings, table_settings
from docfleet.connectors.rows import ColumnKind, clean, fit, kind_of, shape_row, split_columns
from docfleet.core.errors import ConfigurationError, DestinationRejected

SPLIT = TableSettings(column_mode=ColumnMode.SPLIT)


def row(result: Any, **changes: Any) -> DeliveryRow:
    values = {"execution_id": "e1", "file_execution_id": "f1", "file_path": "a.pdf", "result": result}
    return DeliveryRow(**values | changes)


def test_the_settings_read_the_wire_keys() -> None:
    wire = {"table": "sales.rows", "columnMode": "SPLIT_JSON_INTO_COLUMNS", "filePath": "path", "outputFolder": "/x"}
    settings = table_settings(wire | {"singleColumnName": ""})
    assert settings == TableSettings("sales.rows", ColumnMode.SPLIT, file_path="path")


@pytest.mark.parametrize(
    "configuration",
    [
        {"table": "a; drop table b"},
        {"table": "a.b.c"},
        {"table": 'a"b'},
        {"table": "a\n"},
        {"filePath": "x-y"},
        {"singleColumnName": "Status"},
        {"filePath": "data"},
        {"columnMode": "SOMETHING"},
        {"includeAgent": "perhaps"},
        {"table": "x" * 64},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(configuration: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        table_settings(configuration)


def test_a_text_is_wrapped_and_the_callers_objects_stay_as_they_are() -> None:
    result = {"metadata": {"a": 1}, "total": math.nan}
    metadata = {"pages": 3}
    cells = shape_row(SPLIT, row(result, metadata=metadata))
    assert cells["metadata_field"] == {"a": 1}
    assert cells["total"] is None
    assert cells["metadata"] == {"pages": 3, "split_columns": ["metadata_field", "total"]}
    assert set(result) == {"metadata", "total"} and metadata == {"pages": 3}
    assert shape_row(TableSettings(), row("text"))["data"] == {"result": "text"}


def test_an_error_row_has_no_data() -> None:
    cells = shape_row(TableSettings(), row({"a": 1}, status="ERROR", error_message="password required"))
    assert cells["data"] is None
    assert cells["error_message"] == "password required"


def test_what_a_database_refuses_is_replaced() -> None:
    assert clean({"a\0": ["\0", "\ud800", math.inf, 1, True, None]}) == {
        "a\ufffd": ["\ufffd", "\ufffd", None, 1, True, None]
    }
    with pytest.raises(DestinationRejected, match="set"):
        clean({"a": {1}})


def test_a_result_nested_too_deeply_is_refused() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(DestinationRejected, match="nested"):
        shape_row(TableSettings(), row(deep))


@given(st.dictionaries(st.text(max_size=80), st.integers(), max_size=30))
def test_split_columns_are_valid_distinct_and_lose_nothing(result: dict[str, int]) -> None:
    columns = split_columns(SPLIT, result)
    assert len({name.casefold() for name in columns}) == len(result)
    assert sorted(columns.values()) == sorted(result.values())
    ours = {name.casefold() for name in ("id", "status", "metadata", "file_path", "execution_id", "file_execution_id")}
    for name in columns:
        assert IDENTIFIER.fullmatch(name)
        assert name.casefold() not in ours
    assert split_columns(SPLIT, dict(reversed(result.items()))) == columns


def test_names_of_split_columns() -> None:
    columns = split_columns(SPLIT, {"Invoice Number": 1, "invoice_number": 2, "2nd": 3, "": 4, "Status": 5, "ÄÖ": 6})
    assert columns == {
        "invoice_number": 2,
        "Invoice_Number_2": 1,
        "_2nd": 3,
        "field_3": 4,
        "Status_field": 5,
        "field_6": 6,
    }


def test_too_many_columns_are_refused() -> None:
    with pytest.raises(DestinationRejected, match="201"):
        split_columns(SPLIT, {f"k{n}": n for n in range(201)})


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        (ColumnKind.TEXT, 12, "12"),
        (ColumnKind.TEXT, True, "true"),
        (ColumnKind.TEXT, {"a": "é"}, '{"a": "é"}'),
        (ColumnKind.FLOAT, 12, 12.0),
        (ColumnKind.INTEGER, 12.0, 12),
        (ColumnKind.JSON, "x", "x"),
        (ColumnKind.INTEGER, None, None),
    ],
)
def test_a_value_that_fits_without_loss_is_stored(kind: ColumnKind, value: Any, stored: Any) -> None:
    assert fit("c", kind, value) == stored


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ColumnKind.INTEGER, "12"),
        (ColumnKind.INTEGER, 12.5),
        (ColumnKind.INTEGER, True),
        (ColumnKind.BOOLEAN, 1),
        (ColumnKind.FLOAT, "x"),
        (ColumnKind.INTEGER, 2**63),
        (ColumnKind.TIMESTAMP, "soon"),
    ],
)
def test_a_value_that_does_not_fit_names_the_column_and_both_types(kind: ColumnKind, value: Any) -> None:
    with pytest.raises(DestinationRejected) as caught:
        fit("amount", kind, value)
    assert "'amount'" in caught.value.message
    assert kind.value in caught.value.message
    assert type(value).__name__ in caught.value.message


def test_a_whole_number_beyond_64_bits_becomes_text() -> None:
    assert kind_of(2**63) is ColumnKind.TEXT
    assert kind_of(2**63 - 1) is ColumnKind.INTEGER
