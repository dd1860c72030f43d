"""SQLite: one file, in write-ahead mode so that readers and one writer do not block each other."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.pool import NullPool

from docfleet.connectors.base import ConnectorInfo, ConnectorMode, StoredRow, TableSettings
from docfleet.connectors.columns import ColumnKind, ColumnType
from docfleet.connectors.databases.dialect import Dialect, SqlType
from docfleet.connectors.databases.sql import READING, SqlDatabase, load_json, rejected, unavailable
from docfleet.connectors.databases.types import ExactNumber, kind_of_type
from docfleet.connectors.rows import dump_json
from docfleet.connectors.settings import stored_settings
from docfleet.core.errors import DestinationError, DestinationUnavailable

BUSY_SECONDS = 30.0

_RETRYABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}


# A known table, column or unique key has been removed.
_STALE = ("no such table", "no such column", "has no column", "ON CONFLICT clause does not match")


_AS_TEXT = (ColumnKind.NUMBER, ColumnKind.TIMESTAMP, ColumnKind.DATE, ColumnKind.BINARY, ColumnKind.OTHER)


def _usable(_connection: sa.Connection, reflected: SqlType) -> tuple[SqlType, ColumnType]:
    """SQLite stores what it is given, and enforces no bounds."""
    if isinstance(reflected, sa.JSON):
        return sa.JSON(none_as_null=True), ColumnType(ColumnKind.JSON)
    kind = kind_of_type(reflected)
    if kind is ColumnKind.NUMBER and not (isinstance(reflected, sa.NUMERIC) and reflected.precision is None):
        # It takes every number as it comes. A type name it does not know is shown as a bare NUMERIC.
        return sa.types.NullType(), ColumnType(kind)
    if kind in _AS_TEXT:
        # As text a time keeps its zone, and odd customer values can be read.
        return sa.Text(), ColumnType(ColumnKind.TEXT)
    return reflected, ColumnType(kind)


SQLITE = Dialect(
    types={
        ColumnKind.TEXT: sa.Text(),
        ColumnKind.INTEGER: sa.BigInteger(),
        ColumnKind.NUMBER: ExactNumber(),
        ColumnKind.BOOLEAN: sa.Boolean(create_constraint=False),
        ColumnKind.JSON: sa.JSON(none_as_null=True),
        ColumnKind.TIMESTAMP: sa.DateTime(timezone=True),
    },
    key=sa.Text(),
    usable=_usable,
)


class SqliteDatabase(SqlDatabase):
    """``{"path": FILE}``; the file and its folder are made when they are missing."""

    dialect: ClassVar[Dialect] = SQLITE
    info: ClassVar[ConnectorInfo] = ConnectorInfo(
        connector_id="sqlite|43a7968b-53a2-40e6-b632-d4cff0797fc4",
        name="SQLite",
        description="A SQLite database file",
        mode=ConnectorMode.DATABASE,
        can_read=True,
        can_write=True,
        tested="SQLite 3",
        json_schema={
            "title": "SQLite",
            "type": "object",
            "required": ["path"],
            "properties": {
                "connectorName": {"type": "string", "title": "Name of the connector"},
                "path": {"type": "string", "title": "File", "description": "Path of the database file"},
            },
            "additionalProperties": False,
        },
    )

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._path = Path(stored_settings(self.info, settings)["path"]).absolute()
        engine = sa.create_engine(
            sa.URL.create("sqlite+pysqlite", database=str(self._path)),
            poolclass=NullPool,
            json_serializer=dump_json,
            json_deserializer=load_json,
            hide_parameters=True,
            connect_args={"timeout": BUSY_SECONDS},
        )
        sa.event.listen(engine, "connect", _configure)
        sa.event.listen(engine, "begin", _begin)
        super().__init__(engine, str(self._path))

    def check(self) -> None:
        """See ``DatabaseConnector``; the check does not create a missing file."""
        self._guard()
        if self._path.exists():
            super().check()
            return
        folder = next(parent for parent in self._path.parents if parent.exists())
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise rejected(self._place, f"{folder} is not a folder this user may write to")

    def probe(self, target: TableSettings) -> bool:
        """See ``DatabaseConnector``; a probe does not create a missing file."""
        self._guard()
        self.check()
        return self._path.exists() and super().probe(target)

    def read_rows(self, target: TableSettings, limit: int, execution_id: str | None = None) -> list[dict[str, Any]]:
        """See ``DatabaseConnector``; a read does not create a missing file."""
        self._guard()
        return super().read_rows(target, limit, execution_id) if self._path.exists() else []

    def read_back(self, target: TableSettings, execution_id: str) -> Iterator[StoredRow]:
        """See ``DatabaseConnector``; a read does not create a missing file."""
        self._guard()
        if self._path.exists():
            yield from super().read_back(target, execution_id)

    def _connect(self, *, reading: bool) -> sa.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DestinationUnavailable(
                f"database {self._path}: its folder cannot be made: {error.strerror}; correct the path"
            ) from error
        return super()._connect(reading=reading)

    def _insert_once(self, table: sa.Table, values: dict[str, Any], key: list[str]) -> Any:
        return insert(table).values(values).on_conflict_do_nothing(index_elements=key)

    def _is_stale(self, error: sa.exc.DBAPIError) -> bool:
        return any(sign in str(error.orig) for sign in _STALE)

    def _failure(self, error: Exception) -> DestinationError:
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        reason = (str(cause).splitlines() or [type(cause).__name__])[0]
        code = getattr(cause, "sqlite_errorcode", None)
        # Extended codes keep the primary code in the low byte.
        if isinstance(code, int) and code & 0xFF in _RETRYABLE:
            return unavailable(self._place, reason)
        return rejected(self._place, reason)


def _begin(connection: sa.Connection) -> None:
    # sqlite3 starts a transaction only before a DML statement, which would leave schema changes outside of it.
    # IMMEDIATE takes the write lock at once: a later upgrade could fail without waiting.
    reading = connection.get_execution_options().get(READING)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _configure(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    deadline = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        # Switching the mode does not wait for the lock, unlike other statements.
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    connection.execute("PRAGMA synchronous = FULL")
