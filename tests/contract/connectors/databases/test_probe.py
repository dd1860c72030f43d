"""One contract, every database connector: a probe writes a row and leaves nothing."""

from __future__ import annotations

import pytest

from docfleet.connectors.base import DatabaseConnector, TableSettings
from docfleet.connectors.databases.sql import SqlDatabase
from docfleet.core.errors import DestinationError, DestinationRejected
from tests.contract.connectors.databases.servers import Settings, execute, row

TARGET = TableSettings(table="invoices")
TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()",
}
"""The tables of the test's schema; ``information_schema`` where a database is not named here."""
_OTHERS = "SELECT table_name FROM information_schema.tables WHERE table_schema = database()"


def tables(settings: Settings) -> list[str]:
    return sorted(name for (name,) in execute(settings, TABLES.get(settings[0], _OTHERS)))


def test_a_probe_leaves_the_tables_as_they_were(settings: Settings, database: SqlDatabase) -> None:
    execute(settings, "CREATE TABLE theirs (n BIGINT)")
    assert database.probe(TARGET) is True
    assert tables(settings) == ["theirs"]
    database.deliver(TARGET, row({"n": 1}))
    assert database.probe(TARGET) is True
    assert tables(settings) == ["invoices", "theirs"]
    assert database.read_rows(TARGET, 9)[0]["data"] == {"n": 1}


def test_a_probe_that_fails_says_why_and_leaves_nothing(
    settings: Settings, database: SqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(settings, "CREATE TABLE theirs (n BIGINT)")
    monkeypatch.setattr(database, "read_back", lambda *_: iter(()))
    with pytest.raises(DestinationRejected, match="read back with another content"):
        database.probe(TARGET)
    assert tables(settings) == ["theirs"]


def test_a_probe_says_that_it_cannot_make_a_table(settings: Settings, database: SqlDatabase) -> None:
    execute(settings, "CREATE TABLE theirs (n BIGINT)")
    with pytest.raises(DestinationError, match="nowhere"):
        database.probe(TableSettings(table="nowhere.invoices"))
    assert tables(settings) == ["theirs"]


def test_a_probe_is_no_delivery(rows: DatabaseConnector) -> None:
    rows.probe(TARGET)
    assert rows.read_rows(TARGET, 9) == []
