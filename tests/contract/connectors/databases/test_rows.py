"""One contract, every database connector: the rows it writes and reads."""

from __future__ import annotations

import math
import uuid

import pytest
import sqlalchemy as sa

from docfleet.connectors.base import ColumnMode, DatabaseConnector, TableSettings
from docfleet.connectors.databases.sql import SqlDatabase
from docfleet.core.errors import DestinationRejected
from tests.contract.connectors.child_process import assert_refused_in_a_child
from tests.contract.connectors.databases.servers import Settings, execute, row

SINGLE = TableSettings()
SPLIT = TableSettings(table="split_rows", column_mode=ColumnMode.SPLIT)


def test_a_row_has_every_column_and_comes_back_as_it_was(rows: DatabaseConnector) -> None:
    rows.check()
    assert rows.read_rows(SINGLE, 3) == []
    result = {"total": 12.5, "items": [{"name": "Größe", "n": None}], "ok": True, "nan": math.nan, "nul": "a\0b"}
    receipt = rows.deliver(SINGLE, row(result, metadata={"pages": 2}))
    assert receipt.outcome == "written"
    (read,) = rows.read_rows(SINGLE, 3, "e1")
    assert set(read) == {
        *("id", "created_by", "created_at", "metadata", "status", "error_message"),
        *("user_field_1", "user_field_2", "user_field_3", "file_path", "execution_id", "file_execution_id", "data"),
    }
    assert read["data"] == result | {"nan": None, "nul": "a\ufffdb"}
    assert read["metadata"] == {"pages": 2}
    assert (read["status"], read["error_message"], read["user_field_1"]) == ("SUCCESS", None, None)
    assert (read["execution_id"], read["file_execution_id"], read["file_path"]) == ("e1", "f1", "f1.pdf")
    assert read["created_by"] == "DOCFLEET_DBWRITER"
    assert read["created_at"].endswith("+00:00")
    assert uuid.UUID(read["id"])


def test_the_delivery_key_makes_one_row(rows: DatabaseConnector) -> None:
    assert rows.deliver(SINGLE, row({"n": 1})).outcome == "written"
    (first,) = rows.read_rows(SINGLE, 9)
    assert rows.deliver(SINGLE, row({"n": 2})).outcome == "replaced"
    assert rows.deliver(SINGLE, row({"n": 3}, execution_id="e2")).outcome == "written"
    assert rows.deliver(SINGLE, row("text", file="f2")).outcome == "written"
    (read, other) = rows.read_rows(SINGLE, 9, "e1")
    assert read["data"] == {"n": 2}
    assert read["id"] == first["id"]
    assert other["data"] == {"result": "text"}
    assert len(rows.read_rows(SINGLE, 9)) == 3
    assert len(rows.read_rows(SINGLE, 1)) == 1


def test_an_error_row(rows: DatabaseConnector) -> None:
    rows.deliver(SINGLE, row({"n": 1}))
    rows.deliver(SINGLE, row({"n": 1}, status="ERROR", error_message="password required"))
    (read,) = rows.read_rows(SINGLE, 9)
    assert (read["status"], read["error_message"], read["data"]) == ("ERROR", "password required", None)
    rows.deliver(SINGLE, row({"n": 1}))
    (read,) = rows.read_rows(SINGLE, 9)
    assert (read["status"], read["error_message"], read["data"]) == ("SUCCESS", None, {"n": 1})


def test_names_and_switches_are_settings(rows: DatabaseConnector) -> None:
    target = TableSettings(
        table="Order",
        single_column_name="Result",
        include_agent=False,
        include_timestamp=False,
        file_path="path",
        execution_id="run",
    )
    rows.deliver(target, row({"a": 1}))
    assert rows.deliver(target, row({"a": 2})).outcome == "replaced"
    (read,) = rows.read_rows(target, 9, "e1")
    assert (read["Result"], read["path"], read["run"]) == ({"a": 2}, "f1.pdf", "e1")
    assert read["created_by"] is None and read["created_at"] is None


def test_split_columns(tables: DatabaseConnector) -> None:
    tables.deliver(
        SPLIT, row({"Total": 12.5, "n": 3, "ok": False, "items": [1], "who": "x", "status": "s", "none": None})
    )
    tables.deliver(SPLIT, row({"Total": 7, "n": 4.0, "who": 5, "items": "text", "new key": 2**62}, file="f2"))
    one, two = tables.read_rows(SPLIT, 9)
    assert (one["Total"], one["n"], one["ok"], one["items"], one["who"]) == (12.5, 3, False, [1], "x")
    assert (one["status"], one["status_field"]) == ("SUCCESS", "s")
    assert "none" not in one and "data" not in one
    assert one["new_key"] is None
    assert (two["Total"], two["n"], two["ok"], two["items"], two["who"]) == (7.0, 4, None, "text", "5")
    assert two["new_key"] == 2**62


def test_a_field_is_in_one_column_whatever_else_its_file_has(rows: DatabaseConnector) -> None:
    fields = ("請求番号", "日付", "備考", "Größe", "Total (net)", "Total [net]", "x" * 80)
    for number, missing in enumerate(fields):
        rows.deliver(SPLIT, row({field: field for field in fields if field != missing}, file=f"f{number}"))
    for missing, read in zip(fields, rows.read_rows(SPLIT, 9), strict=True):
        data = {column: value for column, value in read.items() if value in fields}
        assert set(data.values()) == set(fields) - {missing}
        assert len({*data.items()}) == len(fields) - 1
    columns = [
        {value: column for column, value in read.items() if value in fields} for read in rows.read_rows(SPLIT, 9)
    ]
    assert len({column for found in columns for column in found.items()}) == len(fields)


def test_a_replaced_split_row_keeps_nothing_of_the_old_result(tables: DatabaseConnector) -> None:
    tables.deliver(SPLIT, row({"a": 1, "b": 2}))
    tables.deliver(SPLIT, row({"c": 9}, file="f2"))
    assert tables.deliver(SPLIT, row({"b": 3, "c": 4})).outcome == "replaced"
    read = tables.read_rows(SPLIT, 9)[0]
    assert (read["a"], read["b"], read["c"]) == (None, 3, 4)
    tables.deliver(SPLIT, row(None, status="ERROR", error_message="it broke"))
    read = tables.read_rows(SPLIT, 9)[0]
    assert (read["a"], read["b"], read["c"], read["status"]) == (None, None, None, "ERROR")
    assert tables.read_rows(SPLIT, 9)[1]["c"] == 9


def test_a_value_the_column_does_not_take_is_refused_and_named(tables: DatabaseConnector) -> None:
    tables.deliver(SPLIT, row({"amount": 3}))
    with pytest.raises(DestinationRejected, match=r"'amount' is of type (num|dec)[a-z]+.* type str"):
        tables.deliver(SPLIT, row({"amount": "three"}, file="f2"))
    tables.deliver(SPLIT, row({"amount": 4}, file="f2"))
    assert [read["amount"] for read in tables.read_rows(SPLIT, 9)] == [3, 4]


def test_a_first_row_that_is_refused_leaves_the_connector_usable(rows: DatabaseConnector) -> None:
    with pytest.raises(DestinationRejected):
        rows.deliver(SPLIT, row({"a": {1}}))
    rows.deliver(SPLIT, row({"a": 1}))
    assert rows.read_rows(SPLIT, 9)[0]["a"] == 1


def test_columns_do_not_grow_without_end(tables: DatabaseConnector) -> None:
    tables.deliver(SPLIT, row({f"k{n}": n for n in range(200)}))
    with pytest.raises(DestinationRejected, match="200"):
        tables.deliver(SPLIT, row({"another": 1}, file="f2"))


@pytest.mark.parametrize("text", ["'; DROP TABLE x; --", '"', "\\'", "%s %(a)s :b {}", "Robert'); --", "€\n\t\x01"])
def test_values_are_never_sql(text: str, tables: DatabaseConnector) -> None:
    tables.deliver(SPLIT, row({"v": text, text or "k": 1}, file=text, execution_id=text, metadata={text: text}))
    (read,) = tables.read_rows(SPLIT, 9, text)
    assert (read["v"], read["file_execution_id"]) == (text, text)
    assert read["metadata"][text] == text


def test_use_in_a_child_process_is_refused(rows: DatabaseConnector) -> None:
    rows.deliver(SINGLE, row({"n": 1}))
    operations = (
        rows.check,
        lambda: rows.deliver(SINGLE, row({"n": 1})),
        lambda: rows.read_rows(SINGLE, 1),
        rows.close,
    )
    assert_refused_in_a_child(operations)
    rows.deliver(SINGLE, row({"n": 2}))
    assert rows.read_rows(SINGLE, 9)[0]["data"] == {"n": 2}


def test_a_row_of_a_known_shape_is_one_statement(database: SqlDatabase) -> None:
    database.deliver(SPLIT, row({"a": 1, "b": "x"}))
    statements: list[str] = []
    sa.event.listen(database._engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    database.deliver(SPLIT, row({"a": 2, "b": "y"}, file="f2"))
    database.deliver(SPLIT, row({"a": 2}, file="f3"))
    database.deliver(SPLIT, row(None, file="f4", status="ERROR", error_message="x"))
    inserts = [statement for statement in statements if statement != "BEGIN IMMEDIATE"]
    if not database.dialect.has_returning:
        reads = [inserts.pop(at) for at in (5, 3, 1)]
        assert all(statement.startswith("SELECT") for statement in reads)
    assert len(inserts) == 3
    assert all(statement.startswith("INSERT") for statement in inserts)


def test_what_was_delivered_is_read_back(exact_rows: DatabaseConnector) -> None:
    results = {
        "f1": {"Total": 12.5, "n": 3, "deep": {"b": [1, None, 1e22, 1e300, 0.1], "a": "é"}, "none": None},
        "f2": {"Total": 4.0, "n": 2**53 + 1, "deep": "text", "who": "x\0"},
        "f3": {"Total": 1e30, "n": -0.5, "flag": True, "who": 5},
    }
    for target in (SINGLE, SPLIT):
        digests = {
            file: exact_rows.deliver(target, row(result, file=file, attempt=1, metadata={"t": 1.5})).digest
            for file, result in results.items()
        }
        exact_rows.deliver(target, row(None, file="f4", status="ERROR", error_message="it broke"))
        exact_rows.deliver(target, row({}, execution_id="e2"))
        stored = {found.file_execution_id: found for found in exact_rows.read_back(target, "e1")}
        assert {file: stored[file].digest for file in digests} == digests
        assert [stored[file].status for file in sorted(stored)] == ["SUCCESS"] * 3 + ["ERROR"]
        assert len(set(digests.values())) == 3
    assert list(exact_rows.read_back(TableSettings(table="none"), "e1")) == []


def test_a_changed_row_has_another_digest(settings: Settings, database: SqlDatabase) -> None:
    digest = database.deliver(SPLIT, row({"n": 3, "who": "x"})).digest
    execute(settings, "UPDATE split_rows SET user_field_3 = 'theirs', created_by = 'them'")
    assert [found.digest for found in database.read_back(SPLIT, "e1")] == [digest]
    for damage in ("n = 4", "who = NULL", "status = 'ERROR'", "file_path = 'other'", "metadata = NULL"):
        execute(settings, f"UPDATE split_rows SET {damage}")
        assert digest not in [found.digest for found in database.read_back(SPLIT, "e1")], damage
        database.deliver(SPLIT, row({"n": 3, "who": "x"}))
    assert [found.digest for found in database.read_back(SPLIT, "e1")] == [digest]
