"""Analysts read the files of a table as one: DuckDB is the independent reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from docfleet.connectors.base import ColumnMode, DeliveryRow, TableSettings
from docfleet.connectors.registry import open_database

SPLIT = TableSettings(table="invoices", column_mode=ColumnMode.SPLIT)
READERS = {
    "jsonl": "read_json('{}/*/*.jsonl', union_by_name=true, hive_partitioning=true, maximum_object_size=10000000)",
    "csv": "read_csv('{}/*/*.csv', union_by_name=true, hive_partitioning=true, all_varchar=true)",
    "parquet": "read_parquet('{}/*/*.parquet', union_by_name=true, hive_partitioning=true)",
}
RESULTS: list[dict[str, Any]] = [
    {"total": 3, "who": 'Größe, "x"\r\nnext line\t€ \'', "day": "2024-03-05", "lines": [{"n": 1}], "paid": True},
    {"total": 2.5, "who": "", "nul": "a\0b"},
    {"total": -0.1, "who": "00123", "big": 2**62 + 1},
]


@pytest.mark.parametrize("name", READERS)
def test_duckdb_reads_what_was_delivered(tmp_path: Path, name: str) -> None:
    rows = open_database(name, {"path": str(tmp_path)})
    for number, result in enumerate(RESULTS):
        rows.deliver(
            SPLIT,
            DeliveryRow(
                execution_id=f"e{number % 2}", file_execution_id=f"f{number}", file_path=f"{number}.pdf", result=result
            ),
        )
    table = READERS[name].format(tmp_path / "invoices")
    query = f"SELECT total, who, day, lines, paid, nul, big, execution_id, delivery_run FROM {table} ORDER BY file_path"
    found = duckdb.sql(query).fetchall()
    shown = [tuple(map(str, line)) for line in found]
    totals = [float(line[0]) for line in found]
    assert totals == [3, 2.5, -0.1]
    assert [line[1] or "" for line in found] == [result["who"] for result in RESULTS]
    assert [line[2][:10] for line in shown] == ["2024-03-05", "None", "None"]
    assert "n" in shown[0][3] and shown[0][4].lower() == "true"
    assert [line[5] for line in shown] == ["None", "a\ufffdb", "None"]
    assert [line[6] for line in shown] == ["None", "None", str(2**62 + 1)]
    assert [line[7:] for line in shown] == [("e0", "e0"), ("e1", "e1"), ("e0", "e0")]


def test_parquet_has_types(tmp_path: Path) -> None:
    rows = open_database("parquet", {"path": str(tmp_path)})
    rows.deliver(SPLIT, DeliveryRow(execution_id="e", file_execution_id="f", file_path="p", result=RESULTS[0]))
    described = duckdb.sql(f"DESCRIBE SELECT * FROM '{tmp_path}/invoices/*/*.parquet'").fetchall()
    types = {line[0]: line[1] for line in described}
    assert (types["total"], types["paid"], types["who"]) == ("DOUBLE", "BOOLEAN", "VARCHAR")
    assert (types["created_at"], types["user_field_2"]) == ("TIMESTAMP WITH TIME ZONE", "BIGINT")
