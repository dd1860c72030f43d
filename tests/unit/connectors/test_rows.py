"""The shape of rows: columns, kinds, fitting."""

from __future__ import annotations

import math
from typing import Any

import pytest

from docfleet.connectors.base import ColumnMode, DeliveryRow, TableSettings, table_settings
from docfleet.connectors.rows import clean, shape_row, split_columns
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


def test_too_many_columns_are_refused() -> None:
    with pytest.raises(DestinationRejected, match="201"):
        split_columns(SPLIT, {f"k{n}": n for n in range(201)})
