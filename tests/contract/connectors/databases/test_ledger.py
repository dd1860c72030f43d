"""One contract, every database connector: the ledger of a table that has no delivery key."""

from __future__ import annotations

import pytest

from docfleet.connectors.base import ColumnMode, TableSettings
from docfleet.connectors.databases.sql import SqlDatabase
from docfleet.core.errors import DestinationRejected
from tests.contract.connectors.databases.servers import Settings, execute, row

THEIRS = "CREATE TABLE theirs (execution_id TEXT, file_execution_id TEXT, n BIGINT)"
THEIR_TABLE = TableSettings(table="theirs", column_mode=ColumnMode.SPLIT)


def test_a_table_without_the_key_is_written_once_through_the_ledger(settings: Settings, database: SqlDatabase) -> None:
    execute(settings, THEIRS, "INSERT INTO theirs VALUES ('e', 'f', 1), ('e', 'f', 2)")
    assert database.deliver(THEIR_TABLE, row({"n": 3})).outcome == "written"
    assert database.deliver(THEIR_TABLE, row({"n": 4})).outcome == "replaced"
    assert database.deliver(THEIR_TABLE, row({"n": 5}, file="f2")).outcome == "written"
    assert execute(settings, "SELECT n FROM theirs ORDER BY n") == [(1,), (2,), (4,), (5,)]
    execute(settings, "DELETE FROM theirs WHERE n = 4")
    assert database.deliver(THEIR_TABLE, row({"n": 6})).outcome == "replaced"
    assert execute(settings, "SELECT n FROM theirs ORDER BY n") == [(1,), (2,), (5,), (6,)]
    assert execute(settings, "SELECT count(*) FROM docfleet_deliveries") == [(2,)]


def test_the_ledger_forgets_what_nobody_repeats(settings: Settings, database: SqlDatabase) -> None:
    execute(
        settings,
        THEIRS,
        # As an earlier version made it.
        "CREATE TABLE docfleet_deliveries (table_name VARCHAR(99), execution_id VARCHAR(99), "
        "file_execution_id VARCHAR(99), attempt BIGINT NOT NULL, "
        "PRIMARY KEY (table_name, execution_id, file_execution_id))",
        "INSERT INTO docfleet_deliveries VALUES ('theirs', 'e', 'known', 1)",
    )
    database.deliver(THEIR_TABLE, row({"n": 1}))
    assert execute(settings, "SELECT count(*) FROM docfleet_deliveries") == [(2,)]
    execute(settings, "UPDATE docfleet_deliveries SET delivered_at = '2001-01-01' WHERE file_execution_id = 'known'")
    database._layouts.clear()  # as the next batch finds it
    database.deliver(THEIR_TABLE, row({"n": 2}, file="f2"))
    left = execute(settings, "SELECT file_execution_id FROM docfleet_deliveries ORDER BY 1")
    assert left == [("f1",), ("f2",)]


def test_a_row_that_is_refused_is_not_in_the_ledger(settings: Settings, database: SqlDatabase) -> None:
    execute(settings, THEIRS, "ALTER TABLE theirs ADD COLUMN m INTEGER CHECK (m < 9)")
    with pytest.raises(DestinationRejected):
        database.deliver(THEIR_TABLE, row({"m": 9}))
    assert database.deliver(THEIR_TABLE, row({"m": 8})).outcome == "written"


def test_two_tables_share_a_ledger_and_not_their_keys(settings: Settings, database: SqlDatabase) -> None:
    execute(settings, THEIRS, THEIRS.replace("theirs", "others"))
    for table in ("theirs", "others"):
        target = TableSettings(table=table, column_mode=ColumnMode.SPLIT)
        assert database.deliver(target, row({"n": 1})).outcome == "written"
    assert execute(settings, "SELECT n FROM others") == [(1,)]


def test_a_unique_key_that_is_dropped_is_replaced_by_the_ledger(settings: Settings, database: SqlDatabase) -> None:
    execute(settings, THEIRS, "CREATE UNIQUE INDEX theirs_key ON theirs (execution_id, file_execution_id)")
    database.deliver(THEIR_TABLE, row({"n": 1}))
    execute(settings, "DROP INDEX theirs_key" + (" ON theirs" if settings[0] == "mariadb" else ""))
    assert database.deliver(THEIR_TABLE, row({"n": 2}, file="f2")).outcome == "written"
    assert database.deliver(THEIR_TABLE, row({"n": 3}, file="f2")).outcome == "replaced"
    assert execute(settings, "SELECT n FROM theirs ORDER BY n") == [(1,), (3,)]
