"""DuckDB: one file, which one process at a time may have open.

So the file is opened for each operation and closed after it, and a writer waits for the others to close it. While it is
open nobody else writes: what a transaction has read is still so when it writes.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from docfleet.connectors.base import (
    DOCUMENT_COLUMN,
    FILE_EXECUTION_COLUMN,
    ColumnMode,
    ConnectorInfo,
    ConnectorMode,
    DeliveryReceipt,
    DeliveryRow,
    ForkGuard,
    OnChange,
    StoredRow,
    TableSettings,
    optional_library,
)
from docfleet.connectors.columns import WHOLE_IN_DOUBLE, ColumnKind, ColumnType, column_kind, fitted
from docfleet.connectors.databases.trial import try_writing
from docfleet.connectors.filesystems.local import LocalFileSystem
from docfleet.connectors.rows import (
    Standing,
    attempt_of,
    check_growth,
    content_digest,
    dump_json,
    earlier_columns,
    fenced,
    fixed_columns,
    giving_way,
    readable,
    shape_row,
    standing,
)
from docfleet.connectors.settings import stored_settings
from docfleet.core.errors import DestinationRejected, DestinationUnavailable

if TYPE_CHECKING:
    import duckdb

WAIT_SECONDS = 30.0
"""How long an operation waits for another process to close the file."""
_PAUSE_SECONDS = 0.02
_READ_ROWS = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SQL_TYPES = {
    ColumnKind.TEXT: "VARCHAR",
    ColumnKind.INTEGER: "BIGINT",
    ColumnKind.FLOAT: "DOUBLE",
    ColumnKind.NUMBER: "DOUBLE",
    ColumnKind.BOOLEAN: "BOOLEAN",
    ColumnKind.JSON: "JSON",
    ColumnKind.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
}
_KINDS = {
    "VARCHAR": ColumnType(ColumnKind.TEXT, "varchar"),
    "UUID": ColumnType(ColumnKind.TEXT, "uuid"),
    "SMALLINT": ColumnType(ColumnKind.INTEGER, "smallint", bits=16),
    "INTEGER": ColumnType(ColumnKind.INTEGER, "integer", bits=32),
    "BIGINT": ColumnType(ColumnKind.INTEGER, "bigint"),
    "FLOAT": ColumnType(ColumnKind.FLOAT, "number (float)", bits=32),
    "DOUBLE": ColumnType(ColumnKind.FLOAT, "number (double)"),
    "BOOLEAN": ColumnType(ColumnKind.BOOLEAN, "boolean"),
    "JSON": ColumnType(ColumnKind.JSON, "json"),
    "TIMESTAMP": ColumnType(ColumnKind.TIMESTAMP, "timestamp", has_zone=False),
    "TIMESTAMP WITH TIME ZONE": ColumnType(ColumnKind.TIMESTAMP, "timestamp with time zone"),
    "DATE": ColumnType(ColumnKind.DATE, "date"),
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


class DuckdbDatabase(ForkGuard):
    """``{"path": FILE}``; the file and its folder are made when they are missing."""

    info: ClassVar[ConnectorInfo] = ConnectorInfo(
        connector_id="duckdb|3e0a2b8e-6a51-4d0c-8c0f-9c7b2f4b1d27",
        name="DuckDB",
        description="A DuckDB database file",
        mode=ConnectorMode.DATABASE,
        can_read=True,
        can_write=True,
        json_schema={
            "title": "DuckDB",
            "type": "object",
            "required": ["path"],
            "properties": {
                "connectorName": {"type": "string", "title": "Name of the connector"},
                "path": {"type": "string", "title": "File", "description": "Path of the database file"},
            },
            "additionalProperties": False,
        },
        tested="DuckDB 2.0",
        extra="duckdb",
        libraries=("duckdb",),
    )

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__("duckdb")
        self._path = Path(stored_settings(self.info, settings)["path"]).absolute()

    def check(self) -> None:
        """See ``DatabaseConnector``; a check does not create a missing file."""
        self._guard()
        if not self._path.exists():
            LocalFileSystem({"path": str(self._path.parent)}).check(write=True)
            return
        with self._transaction() as connection:
            connection.execute("SELECT 1")

    def deliver(self, target: TableSettings, row: DeliveryRow) -> DeliveryReceipt:
        """See ``DatabaseConnector``."""
        self._guard()
        cells = shape_row(target, row)
        with self._transaction() as connection:
            table = _DuckdbTable(connection, target)
            table.complete(cells)
            values = fitted(cells, table.names, table.types)
            key = {name: values[name] for name in table.key}
            earlier = next(iter(table.select(key)), None)
            if earlier is not None and attempt_of(table.value(earlier, "metadata")) > row.attempt:
                raise fenced(row.attempt, row.file_execution_id, row.execution_id, target.table)
            outcome: Literal["written", "replaced", "superseded"] = "written" if earlier is None else "replaced"
            table.write(values, key, earlier)
            stored = next(iter(table.select(key)))
            document = cells.get(DOCUMENT_COLUMN) if target.on_change is OnChange.REPLACE else None
            if document is not None and table.gave_way(stored, document):
                outcome = "superseded"
        return DeliveryReceipt(outcome, target.table, tuple(values), content_digest(target, stored))

    def read_rows(self, target: TableSettings, limit: int, execution_id: str | None = None) -> list[dict[str, Any]]:
        """See ``DatabaseConnector``; a read does not create a missing file."""
        self._guard()
        if not self._path.exists():
            return []
        with self._transaction() as connection:
            table = _DuckdbTable(connection, target)
            found = table.select(_where(table, execution_id), order=table.names.get(target.file_path.casefold()))
            rows = [row for row, _ in zip(found, range(limit), strict=False)]
        return [{name: readable(value) for name, value in row.items()} for row in rows]

    def read_back(self, target: TableSettings, execution_id: str) -> Iterator[StoredRow]:
        """See ``DatabaseConnector``. The file is open, and writers wait, until the last row is read."""
        self._guard()
        if not self._path.exists():
            return
        with self._transaction() as connection:
            table = _DuckdbTable(connection, target)
            if len(table.key) == 2:
                for row in table.select(_where(table, execution_id)):
                    status = str(table.value(row, "status") or "")
                    yield StoredRow(str(row[table.key[1]]), status, content_digest(target, row))

    def probe(self, target: TableSettings) -> bool:
        """See ``DatabaseConnector``; a probe does not create a missing file."""
        self._guard()
        self.check()
        if not self._path.exists():
            return False
        try_writing(self, target, self._drop)
        return True

    def _drop(self, target: TableSettings) -> None:
        with self._transaction() as connection:
            _DuckdbTable(connection, target).drop()

    def close(self) -> None:
        """See ``DatabaseConnector``; nothing is held between calls."""
        self._guard()

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with optional_library(self.info):
            import duckdb
        connection = self._connect()
        try:
            connection.begin()
            yield connection
            connection.commit()
        except duckdb.TransactionException as error:
            raise DestinationUnavailable(f"database {self._path}: {_reason(error)}; try again") from error
        except duckdb.IOException as error:
            raise DestinationUnavailable(f"database {self._path}: {_reason(error)}; check the disk") from error
        except duckdb.Error as error:
            raise DestinationRejected(
                f"database {self._path} refused the operation: {_reason(error)}; correct the destination's settings "
                "or its table"
            ) from error
        finally:
            connection.close()  # rolls back what is not committed

    def _connect(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                options: dict[str, str | bool | int | float | list[str]] = {
                    "threads": 1,
                    "autoinstall_known_extensions": "false",
                }
                return duckdb.connect(str(self._path), config=options)
            except OSError as error:
                raise DestinationUnavailable(
                    f"database {self._path}: its folder cannot be made: {error.strerror}; correct the path"
                ) from error
            except duckdb.Error as error:
                if "lock" not in str(error):
                    raise DestinationRejected(
                        f"database {self._path} cannot be opened: {_reason(error)}; correct the path"
                    ) from error
                if time.monotonic() > deadline:
                    raise DestinationUnavailable(
                        f"database {self._path} is open in another process: DuckDB lets one at a time; close it there"
                    ) from error
            time.sleep(_PAUSE_SECONDS)


class _DuckdbTable:
    """A table within a transaction; without columns where it does not exist."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, target: TableSettings) -> None:
        self._connection = connection
        self._target = target
        schema, dot, name = target.table.rpartition(".")
        self._schema, self._name = schema if dot else "main", name
        self._sql = f"{_quoted(self._schema)}.{_quoted(self._name)}"
        self._reflect()

    def _reflect(self) -> None:
        found = self._connection.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database() "
            "AND lower(schema_name) = lower(?) AND lower(table_name) = lower(?) ORDER BY column_index",
            [self._schema, self._name],
        ).fetchall()
        self.types = {name: _column_type(data_type) for name, data_type in found}
        self.names = {name.casefold(): name for name in self.types}

    @property
    def key(self) -> list[str]:
        """The columns of the delivery key, as far as the table has them."""
        wanted = (self._target.execution_id, FILE_EXECUTION_COLUMN)
        return [self.names[name.casefold()] for name in wanted if name.casefold() in self.names]

    def value(self, row: Mapping[str, Any], column: str) -> Any:
        """The value of a column that a customer may have written in other letters."""
        return row.get(self.names.get(column, ""))

    def complete(self, cells: Mapping[str, Any]) -> None:
        """Make the table or the columns that are missing."""
        fixed = fixed_columns(self._target)
        data = {name: kind for name, value in cells.items() if (kind := column_kind(value)) and name not in fixed}
        if not self.types:
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(self._schema)}")
            columns = [f"{_quoted(name)} {_SQL_TYPES[kind]}" for name, kind in fixed.items()]
            key = ", ".join(map(_quoted, (self._target.execution_id, FILE_EXECUTION_COLUMN)))
            self._connection.execute(f"CREATE TABLE {self._sql} ({', '.join(columns)}, UNIQUE ({key}))")
            self._reflect()
        needed = {name: kind for name, kind in fixed.items() if name in cells} | data
        missing = {name: kind for name, kind in needed.items() if name.casefold() not in self.names}
        check_growth(self._target, self.types, missing)
        for name, kind in missing.items():
            value = cells[name]
            is_big = kind is ColumnKind.NUMBER and isinstance(value, int) and abs(value) > WHOLE_IN_DOUBLE
            sql_type = "BIGINT" if is_big else _SQL_TYPES[kind]
            self._connection.execute(f"ALTER TABLE {self._sql} ADD COLUMN {_quoted(name)} {sql_type}")
        if missing:
            self._reflect()

    def drop(self) -> None:
        """Drop the table where there is one."""
        self._connection.execute(f"DROP TABLE IF EXISTS {self._sql}")

    def select(self, where: Mapping[str, Any], order: str | None = None) -> Iterator[dict[str, Any]]:
        """The rows with these values, a few in memory at a time."""
        if not self.types:
            return
        shown = ", ".join(_shown(name, column_type) for name, column_type in self.types.items())
        conditions = "".join(f" AND {_quoted(name)} = ?" for name in where)
        ordered = "" if order is None else f" ORDER BY {_quoted(order)}"
        query = f"SELECT {shown} FROM {self._sql} WHERE true{conditions}{ordered}"  # noqa: S608  names are quoted
        # A cursor of DuckDB is a connection, with a transaction of its own.
        result = self._connection.execute(query, [str(value) for value in where.values()])
        while lines := result.fetchmany(_READ_ROWS):
            for line in lines:
                values = zip(self.types.items(), line, strict=True)
                yield {name: _loaded(column_type, value) for (name, column_type), value in values}

    def write(self, values: Mapping[str, Any], key: Mapping[str, Any], earlier: Mapping[str, Any] | None) -> None:
        """Insert the row, or overwrite ``earlier``; columns that only its result had become null."""
        if earlier is None:
            values = self._new_id() | dict(values)
            columns, marks = ", ".join(map(_quoted, values)), ", ".join(self._mark(name) for name in values)
            query = f"INSERT INTO {self._sql} ({columns}) VALUES ({marks})"  # noqa: S608  names are quoted
            self._connection.execute(query, self._bound(values))
            return
        if self._target.column_mode is ColumnMode.SPLIT:
            values = dict.fromkeys(earlier_columns(self.value(earlier, "metadata"), self.names)) | dict(values)
        changed = {name: value for name, value in values.items() if name not in key}
        assignments = ", ".join(f"{_quoted(name)} = {self._mark(name)}" for name in changed)
        conditions = " AND ".join(f"{_quoted(name)} = ?" for name in key)
        query = f"UPDATE {self._sql} SET {assignments} WHERE {conditions}"  # noqa: S608  names are quoted
        self._connection.execute(query, [*self._bound(changed), *self._bound(key)])

    def gave_way(self, mine: Mapping[str, Any], document: str) -> bool:
        """Delete the rows of other executions that give way to this one, or this one where it gives way to another."""
        execution, _ = self.key
        rows = list(self.select({self.names[DOCUMENT_COLUMN]: document}))
        others = {at: self._standing(row) for at, row in enumerate(rows) if row[execution] != mine[execution]}
        old, superseded = giving_way(self._standing(mine), others)
        conditions = " AND ".join(f"{_quoted(name)} = ?" for name in self.key)
        for row in [*(rows[at] for at in old), *([mine] if superseded else [])]:
            query = f"DELETE FROM {self._sql} WHERE {conditions}"  # noqa: S608  names are quoted
            self._connection.execute(query, [row[name] for name in self.key])
        return superseded

    def _standing(self, row: Mapping[str, Any]) -> Standing:
        return standing(self.value(row, "status"), self.value(row, "metadata"))

    def _new_id(self) -> dict[str, Any]:
        column = self.names.get("id")
        is_text = column is not None and self.types[column].kind is ColumnKind.TEXT
        return {column: str(uuid.uuid4())} if column is not None and is_text else {}

    def _bound(self, values: Mapping[str, Any]) -> list[Any]:
        return [_bound(self.types[name], value) for name, value in values.items()]

    def _mark(self, name: str) -> str:
        match self.types[name]:
            case ColumnType(kind=ColumnKind.JSON):
                return "?::JSON"
            case ColumnType(kind=ColumnKind.TIMESTAMP, has_zone=has_zone):
                return "?::TIMESTAMP WITH TIME ZONE" if has_zone else "?::TIMESTAMP"
        return "?"


def _where(table: _DuckdbTable, execution_id: str | None) -> dict[str, Any]:
    return {} if execution_id is None or not table.key else {table.key[0]: execution_id}


def _column_type(data_type: str) -> ColumnType:
    if match := _DECIMAL.fullmatch(data_type):
        return ColumnType(ColumnKind.NUMBER, data_type.lower(), precision=int(match[1]), scale=int(match[2]))
    return _KINDS.get(data_type, ColumnType(ColumnKind.OTHER, data_type.lower()))


def _shown(name: str, column_type: ColumnType) -> str:
    match column_type.kind:
        case ColumnKind.TIMESTAMP:
            return f"epoch_us({_quoted(name)})"  # as a datetime it would need the library pytz
        case ColumnKind.JSON | ColumnKind.OTHER | ColumnKind.DATE | ColumnKind.TEXT:
            return f"{_quoted(name)}::VARCHAR"
    return _quoted(name)


def _loaded(column_type: ColumnType, value: Any) -> Any:
    if value is None:
        return None
    match column_type.kind:
        case ColumnKind.TIMESTAMP:
            return _EPOCH + timedelta(microseconds=value)
        case ColumnKind.JSON:
            return json.loads(value)
    return value


def _bound(column_type: ColumnType, value: Any) -> Any:
    if value is not None and column_type.kind is ColumnKind.JSON:
        return dump_json(value)
    return value.isoformat() if isinstance(value, datetime) else value


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:500]
