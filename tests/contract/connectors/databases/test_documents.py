"""One contract, every database connector: one row of a document, whichever execution delivered it."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest

from docfleet.connectors.base import ColumnMode, DatabaseConnector, DeliveryRow, OnChange, TableSettings
from docfleet.connectors.databases.sql import SqlDatabase
from docfleet.connectors.registry import open_database
from tests.contract.connectors.databases.servers import Settings, execute

REPLACE = TableSettings(column_mode=ColumnMode.SPLIT, on_change=OnChange.REPLACE)
MONDAY, TUESDAY = "2024-03-04T10:00:00+00:00", "2024-03-05T10:00:00.5+00:00"


def row(execution: str, created_at: str, total: Any, file: str = "f", document: str | None = "d1", **more: Any) -> Any:
    return DeliveryRow(
        execution_id=execution,
        file_execution_id=f"{execution}-{file}",
        file_path="a.pdf",
        result={"total": total},
        document=document,
        execution_created_at=created_at,
        **more,
    )


def totals(rows: DatabaseConnector, target: TableSettings = REPLACE) -> list[Any]:
    return sorted((read["execution_id"], read["status"], read.get("total")) for read in rows.read_rows(target, 99))


def test_a_changed_document_replaces_its_row(rows: DatabaseConnector) -> None:
    rows.deliver(REPLACE, row("e1", MONDAY, 1))
    rows.deliver(REPLACE, row("e1", MONDAY, 7, file="g", document="d2"))
    assert rows.deliver(REPLACE, row("e2", TUESDAY, 2)).outcome == "written"
    assert totals(rows) == [("e1", "SUCCESS", 7), ("e2", "SUCCESS", 2)]
    assert len(list(rows.read_back(REPLACE, "e2"))) == 1


def test_a_late_delivery_of_an_earlier_execution_changes_nothing(rows: DatabaseConnector) -> None:
    rows.deliver(REPLACE, row("e2", TUESDAY, 2))
    for attempt in (1, 2):
        assert rows.deliver(REPLACE, row("e1", MONDAY, 1, attempt=attempt)).outcome == "superseded"
        assert totals(rows) == [("e2", "SUCCESS", 2)]


def test_a_repeat_within_an_execution_is_one_row_and_its_fence_holds(rows: DatabaseConnector) -> None:
    rows.deliver(REPLACE, row("e1", MONDAY, 1))
    rows.deliver(REPLACE, row("e2", TUESDAY, 2, attempt=1))
    assert rows.deliver(REPLACE, row("e2", TUESDAY, 3, attempt=2)).outcome == "replaced"
    assert totals(rows) == [("e2", "SUCCESS", 3)]


def test_copies_of_a_document_within_an_execution_are_rows_of_their_own(rows: DatabaseConnector) -> None:
    for execution, at in (("e1", MONDAY), ("e2", TUESDAY)):
        rows.deliver(REPLACE, row(execution, at, 1, file="f"))
        rows.deliver(REPLACE, row(execution, at, 1, file="g"))
    assert totals(rows) == [("e2", "SUCCESS", 1), ("e2", "SUCCESS", 1)]


def test_an_error_replaces_errors_only_and_is_replaced_by_what_can_be_read(rows: DatabaseConnector) -> None:
    broken: dict[str, Any] = {"status": "ERROR", "error_message": "it broke"}
    rows.deliver(REPLACE, row("e1", MONDAY, 1))
    rows.deliver(REPLACE, row("e2", TUESDAY, None, **broken))
    assert totals(rows) == [("e1", "SUCCESS", 1), ("e2", "ERROR", None)]
    rows.deliver(REPLACE, row("e3", "2024-03-06", None, **broken))
    assert totals(rows) == [("e1", "SUCCESS", 1), ("e3", "ERROR", None)]
    rows.deliver(REPLACE, row("e4", "2024-03-07", 4))
    assert totals(rows) == [("e4", "SUCCESS", 4)]


def test_a_document_that_is_not_known_is_appended(rows: DatabaseConnector) -> None:
    rows.deliver(REPLACE, row("e1", MONDAY, 1, document=None))
    rows.deliver(REPLACE, row("e2", TUESDAY, 2, document=None))
    assert len(totals(rows)) == 2


def test_without_the_setting_each_execution_has_a_row(rows: DatabaseConnector) -> None:
    append = TableSettings(column_mode=ColumnMode.SPLIT)
    rows.deliver(append, row("e1", MONDAY, 1))
    rows.deliver(append, row("e2", TUESDAY, 2))
    assert len(totals(rows, append)) == 2
    assert "docfleet_document" not in rows.read_rows(append, 1)[0]


def test_a_table_of_before_gets_the_column_and_keeps_its_rows(rows: DatabaseConnector) -> None:
    rows.deliver(TableSettings(column_mode=ColumnMode.SPLIT), row("e1", MONDAY, 1))
    rows.deliver(REPLACE, row("e2", TUESDAY, 2))
    rows.deliver(REPLACE, row("e3", "2024-03-06", 3))
    assert totals(rows) == [("e1", "SUCCESS", 1), ("e3", "SUCCESS", 3)]


def test_a_table_of_the_customer_without_the_key(settings: Settings, database: SqlDatabase) -> None:
    execute(settings, "CREATE TABLE theirs (total NUMERIC)", "INSERT INTO theirs (total) VALUES (5)")
    target = TableSettings(table="theirs", column_mode=ColumnMode.SPLIT, on_change=OnChange.REPLACE)
    database.deliver(target, row("e1", MONDAY, 1))
    database.deliver(target, row("e2", TUESDAY, 2))
    assert database.deliver(target, row("e1", MONDAY, 1)).outcome == "superseded"
    assert sorted(found[0] for found in execute(settings, "SELECT total FROM theirs")) == [2, 5]


def test_the_column_has_an_index(settings: Settings, database: SqlDatabase) -> None:
    database.deliver(REPLACE, row("e1", MONDAY, 1))
    where = f"schemaname = '{settings[1].get('schema')}'"
    query = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
        "postgresql": f"SELECT indexname FROM pg_indexes WHERE {where}",
        "mariadb": "SELECT index_name FROM information_schema.statistics WHERE table_schema = database()",
    }
    assert ("ix_docfleet_results_document",) in [tuple(found) for found in execute(settings, query[settings[0]])]


def test_executions_at_once_leave_one_row_of_a_document(
    settings: Settings, database: SqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.deliver(REPLACE, row("e0", "2024-03-01", 0))
    both_wrote = threading.Barrier(2)
    looks = SqlDatabase._gave_way

    def look_late(*arguments: Any) -> bool:
        """Each looks for the other's row when both have written; where one waits for the other, that never is."""
        with contextlib.suppress(threading.BrokenBarrierError):
            both_wrote.wait(1)
        return looks(*arguments)

    monkeypatch.setattr(SqlDatabase, "_gave_way", look_late)
    failures: list[Exception] = []

    def deliver(execution: str, created_at: str) -> None:
        connector = open_database(*settings)
        try:
            connector.deliver(REPLACE, row(execution, created_at, int(execution[1:])))
        except Exception as error:
            failures.append(error)
        finally:
            connector.close()

    threads = [threading.Thread(target=deliver, args=each) for each in (("e1", MONDAY), ("e2", TUESDAY))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert totals(database) == [("e2", "SUCCESS", 2)]


@pytest.mark.parametrize("value", ["docfleet_document"])
def test_a_field_of_that_name_is_another_column(rows: DatabaseConnector, value: str) -> None:
    given = DeliveryRow(
        execution_id="e1", file_execution_id="f1", file_path="a", result={value: "theirs"}, document="d1"
    )
    rows.deliver(REPLACE, given)
    read = rows.read_rows(REPLACE, 1)[0]
    assert (read["docfleet_document"], read["docfleet_document_field"]) == ("d1", "theirs")
