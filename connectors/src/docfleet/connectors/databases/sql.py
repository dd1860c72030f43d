"""Writes rows into any database that SQLAlchemy supports: the common part of the SQL connectors.

One connection per object, opened on first use. The unique key (execution_id, file_execution_id), the table's own or the
ledger's, makes a delivery repeatable, so a connection that was closed by the server between two operations is replaced
once and the write is repeated. The attempt is kept with the key: a writer that was considered dead cannot overwrite its
successor's row.
"""

from __future__ import annotations

import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import sqlalchemy as sa

from docfleet.connectors.base import (
    DOCUMENT_COLUMN,
    FILE_EXECUTION_COLUMN,
    ColumnMode,
    ConnectorInfo,
    DeliveryReceipt,
    DeliveryRow,
    ForkGuard,
    OnChange,
    StoredRow,
    TableSettings,
)
from docfleet.connectors.columns import ColumnKind, fitted
from docfleet.connectors.databases.dialect import Dialect
from docfleet.connectors.databases.schema import Layout, drop, prepare, reflect, split_table_name
from docfleet.connectors.databases.trial import try_writing
from docfleet.connectors.rows import (
    attempt_of,
    content_digest,
    earlier_columns,
    fenced,
    giving_way,
    readable,
    shape_row,
    standing,
)
from docfleet.core.errors import DestinationError, DestinationRejected, DestinationUnavailable, Fenced

_WRITE_ATTEMPTS = 3
READING = "docfleet_reading"
"""Execution option of a connection whose transaction writes nothing."""

_READ_ROWS = 200
_SCHEMA_ATTEMPTS = 4  # a concurrent writer may add the same column or table between our check and our change


class SqlDatabase(ForkGuard, ABC):
    """A database connector over one SQLAlchemy engine. ``place`` is its address without credentials."""

    info: ClassVar[ConnectorInfo]
    dialect: ClassVar[Dialect]

    def __init__(self, engine: sa.Engine, place: str, schema: str | None = None) -> None:
        super().__init__(self.info.connector_id.partition("|")[0])
        self._engine = engine
        self._place = place
        self._schema = schema
        self._connection: sa.Connection | None = None
        self._layouts: dict[TableSettings, Layout] = {}

    @abstractmethod
    def _insert_once(self, table: sa.Table, values: dict[str, Any], key: list[str]) -> Any:
        """An INSERT that does nothing when the key exists; the caller may add a RETURNING clause."""

    @abstractmethod
    def _failure(self, error: Exception) -> DestinationError:
        """The error message for people; never with a credential or a bound value in it."""

    @abstractmethod
    def _is_stale(self, error: sa.exc.DBAPIError) -> bool:
        """Whether a known table or column has been removed."""

    def _lock_schema(self, connection: sa.Connection, table: str) -> None:
        """Keep other Docfleet processes from changing the same table until the transaction ends."""

    def _lock_document(self, connection: sa.Connection, document: str) -> None:
        """Keep other executions from delivering the same document until the transaction ends."""
        self._lock_schema(connection, document)

    def check(self) -> None:
        """See ``DatabaseConnector``."""
        self._guard()
        self._run(lambda connection: connection.execute(sa.text("SELECT 1")).scalar(), reading=True)

    def deliver(self, target: TableSettings, row: DeliveryRow) -> DeliveryReceipt:
        """See ``DatabaseConnector``. A row of a known shape costs one statement and a commit."""
        self._guard()
        cells = shape_row(target, row)
        for last in (False, True):
            layout = self._layout(target, cells)
            try:
                return self._run(partial(self._deliver, target=target, layout=layout, cells=cells, attempt=row.attempt))
            except DestinationRejected:
                if last or target in self._layouts:
                    raise
        raise AssertionError("the second attempt returns or raises")

    def read_rows(self, target: TableSettings, limit: int, execution_id: str | None = None) -> list[dict[str, Any]]:
        """See ``DatabaseConnector``."""
        self._guard()
        return self._run(lambda connection: self._read(connection, target, limit, execution_id), reading=True)

    def read_back(self, target: TableSettings, execution_id: str) -> Iterator[StoredRow]:
        """See ``DatabaseConnector``. One read transaction: rows that are written meanwhile are not visible."""
        self._guard()
        try:
            connection = self._connect(reading=True)
            with connection.begin():
                yield from self._stored(connection, target, execution_id)
        except sa.exc.SQLAlchemyError as error:
            if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
                self._disconnect()
            raise self._failure(error) from error

    def probe(self, target: TableSettings) -> bool:
        """See ``DatabaseConnector``."""
        self._guard()
        try_writing(self, target, lambda own: self._run(partial(drop, target=own, schema=self._schema)))
        return True

    def close(self) -> None:
        """See ``DatabaseConnector``."""
        self._guard()
        self._disconnect()
        self._engine.dispose()

    def _run[T](self, operation: Callable[[sa.Connection], T], *, reading: bool = False) -> T:
        """Run one operation in a transaction; once more when the connection was closed while it was idle."""
        for last in (False, True):
            idle = self._connection is not None
            try:
                connection = self._connect(reading=reading)
                with connection.begin():
                    return operation(connection)
            except sa.exc.SQLAlchemyError as error:
                lost = isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
                if lost:
                    self._disconnect()
                if isinstance(error, sa.exc.DBAPIError) and self._is_stale(error):
                    self._layouts.clear()
                if last or not (lost and idle):
                    raise self._failure(error) from error
        raise AssertionError("the second attempt returns or raises")

    def _connect(self, *, reading: bool) -> sa.Connection:
        if self._connection is None:
            try:
                self._connection = self._engine.connect()
            except sa.exc.SQLAlchemyError as error:
                raise self._failure(error) from error
        return self._connection.execution_options(**{READING: reading})

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _layout(self, target: TableSettings, cells: dict[str, Any]) -> Layout:
        """The table, completed for these columns. It is inspected once for each new set of columns."""
        layout = self._layouts.get(target)
        if layout is None or not layout.covers(cells, target):
            # A transaction of its own: a row that is refused afterwards must not roll back the table.
            layout = self._run(partial(self._prepare, target=target, cells=cells))
            self._layouts[target] = layout
        return layout

    def _deliver(
        self, connection: sa.Connection, target: TableSettings, layout: Layout, cells: dict[str, Any], attempt: int
    ) -> DeliveryReceipt:
        values = fitted(cells, layout.names, layout.types)
        row = TargetRow(target, layout, values, attempt)
        document = cells.get(DOCUMENT_COLUMN) if target.on_change is OnChange.REPLACE else None
        if document is not None:
            # Two executions with the same document at once would not see each other's row.
            self._lock_document(connection, f"{layout.table.fullname} {document}")
        for left in reversed(range(_WRITE_ATTEMPTS)):
            outcome: Literal["written", "replaced", "superseded"] = "written"
            taken = layout.ledger is not None and not self._enter(connection, row, layout.ledger)
            stored = None if taken else self._insert(connection, row, once=layout.ledger is None)
            if stored is None:
                outcome = "replaced"
                stored = self._replace(connection, row)
            if stored is None and (taken or not left):
                # It was delivered before and the customer has deleted the row since; or another key of the table
                # refuses the row, and then the database says which.
                stored = self._insert(connection, row, once=False)
            if stored is not None:
                digest = content_digest(target, dict(stored))
                if document is not None and self._gave_way(connection, row, document):
                    outcome = "superseded"
                return DeliveryReceipt(outcome, layout.table.fullname, tuple(values), digest)
        raise unavailable(self._place, f"the row is deleted from {layout.table.fullname} as often as it is written")

    def _gave_way(self, connection: sa.Connection, row: TargetRow, document: str) -> bool:
        """Delete the rows of other executions that give way to this one, or this one where it gives way to another."""
        table, names = row.layout.table, row.layout.names
        execution, file_execution = (table.c[name] for name in row.key)
        status, metadata = table.c[names["status"]], table.c[names["metadata"]]
        mine = standing(row.values[status.name], row.values[metadata.name])
        same_document = sa.select(execution, file_execution, status, metadata).where(
            table.c[names[DOCUMENT_COLUMN]] == document, execution != row.values[execution.name]
        )
        others = {
            (other[0], other[1]): standing(other[2], other[3])
            for other in connection.execute(same_document.with_for_update())
        }
        old, superseded = giving_way(mine, others)
        own = (row.values[execution.name], row.values[file_execution.name])
        for key in [*old, own] if superseded else old:
            connection.execute(sa.delete(table).where(execution == key[0], file_execution == key[1]))
        return superseded

    def _enter(self, connection: sa.Connection, row: TargetRow, ledger: sa.Table) -> bool:
        """Write the delivery into the ledger. False when it was there before, from this or an earlier attempt."""
        execution_id, file_execution_id = (str(row.values[name]) for name in row.key)
        key = {
            "table_name": row.layout.table.name,
            "execution_id": execution_id,
            FILE_EXECUTION_COLUMN: file_execution_id,
        }
        entry = key | {"attempt": row.attempt, "delivered_at": sa.func.current_timestamp()}
        if _rows_of(connection, self._insert_once(ledger, entry, list(key))):
            return True
        where = sa.and_(*(ledger.c[name] == value for name, value in key.items()))
        # This waits for a writer of the same key, and sees what it wrote.
        written = connection.execute(sa.select(ledger.c.attempt).where(where).with_for_update()).scalar()
        if written is not None and written > row.attempt:
            raise row.fenced()
        connection.execute(sa.update(ledger).where(where).values(attempt=row.attempt))
        return False

    def _insert(self, connection: sa.Connection, row: TargetRow, *, once: bool) -> sa.RowMapping | None:
        """Insert the row. Returns it as it was stored; None when, with ``once``, the key exists already."""
        table, values = row.layout.table, _new_id(row.layout) | row.values
        insert = self._insert_once(table, values, row.key) if once else sa.insert(table).values(values)
        if self.dialect.has_returning:
            return connection.execute(insert.returning(*row.columns)).mappings().first()
        return self._stored_row(connection, row) if _rows_of(connection, insert) else None

    def _stored_row(self, connection: sa.Connection, row: TargetRow) -> sa.RowMapping | None:
        """The row that this transaction has written, where the database does not answer with it."""
        table = row.layout.table
        return connection.execute(sa.select(*row.columns).select_from(table).where(row.has_key)).mappings().first()

    def _replace(self, connection: sa.Connection, row: TargetRow) -> sa.RowMapping | None:
        """Overwrite the row of this key; columns that only its earlier result had become null.

        None when there is no row. Raises ``Fenced`` when a later attempt wrote it.
        """
        table, names = row.layout.table, row.layout.names
        select = sa.select(table.c[names["metadata"]]).where(row.has_key)
        earlier = connection.execute(select.with_for_update()).first()
        if earlier is None:
            return None
        if attempt_of(earlier[0]) > row.attempt:
            raise row.fenced()
        cleared: dict[str, Any] = {}
        if row.target.column_mode is ColumnMode.SPLIT:
            cleared = dict.fromkeys(earlier_columns(earlier[0], row.layout.names))
        update = sa.update(table).where(row.has_key).values(cleared | row.values)
        if self.dialect.has_returning:
            return connection.execute(update.returning(*row.columns)).mappings().first()
        connection.execute(update)
        return self._stored_row(connection, row)

    def _prepare(self, connection: sa.Connection, target: TableSettings, cells: dict[str, Any]) -> Layout:
        schema, name = split_table_name(target, self._schema)
        for attempt in range(_SCHEMA_ATTEMPTS):
            try:
                with connection.begin_nested() if self.dialect.has_transactional_ddl else nullcontext():
                    self._lock_schema(connection, f"{schema}.{name}")
                    return prepare(connection, self.dialect, target, schema, name, cells)
            except sa.exc.DBAPIError as error:
                if error.connection_invalidated or attempt == _SCHEMA_ATTEMPTS - 1:
                    raise
            except sa.exc.NoSuchTableError:
                if attempt == _SCHEMA_ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _read(
        self, connection: sa.Connection, target: TableSettings, limit: int, execution_id: str | None
    ) -> list[dict[str, Any]]:
        schema, name = split_table_name(target, self._schema)
        if not sa.inspect(connection).has_table(name, schema=schema):
            return []
        layout = reflect(connection, self.dialect, schema, name)
        query = sa.select(layout.table).limit(limit)
        if (path := layout.names.get(target.file_path.casefold())) is not None:
            query = query.order_by(layout.table.c[path])
        if execution_id is not None:
            if (column := layout.names.get(target.execution_id.casefold())) is None:
                return []
            query = query.where(layout.table.c[column] == execution_id)
        return [
            {column: readable(value) for column, value in row.items()} for row in connection.execute(query).mappings()
        ]

    def _stored(self, connection: sa.Connection, target: TableSettings, execution_id: str) -> Iterator[StoredRow]:
        schema, name = split_table_name(target, self._schema)
        if not sa.inspect(connection).has_table(name, schema=schema):
            return
        layout = reflect(connection, self.dialect, schema, name)
        names = [layout.names.get(column.casefold()) for column in (target.execution_id, FILE_EXECUTION_COLUMN)]
        execution, file_execution = names
        if execution is None or file_execution is None:
            return
        query = sa.select(layout.table).where(layout.table.c[execution] == execution_id)
        status = layout.names.get("status")
        for row in connection.execute(query, execution_options={"yield_per": _READ_ROWS}).mappings():
            shown = "" if status is None else str(row[status])
            yield StoredRow(str(row[file_execution]), shown, content_digest(target, dict(row)))


class TargetRow(NamedTuple):
    """One row to deliver: ``values`` by the table's own column names."""

    target: TableSettings
    layout: Layout
    values: dict[str, Any]
    attempt: int

    @property
    def key(self) -> list[str]:
        """The columns of the delivery key."""
        return [self.layout.names[name.casefold()] for name in (self.target.execution_id, FILE_EXECUTION_COLUMN)]

    @property
    def has_key(self) -> sa.ColumnElement[bool]:
        """The condition that a row is of this delivery."""
        return sa.and_(*(self.layout.table.c[name] == self.values[name] for name in self.key))

    def fenced(self) -> Fenced:
        """The error for an attempt that comes too late."""
        execution_id, file_execution_id = (self.values[name] for name in self.key)
        return fenced(self.attempt, file_execution_id, execution_id, self.layout.table.fullname)

    @property
    def columns(self) -> list[sa.Column[Any]]:
        """The columns that were written, to be read back."""
        return [self.layout.table.c[name] for name in self.values]


def _rows_of(connection: sa.Connection, statement: Any) -> int:
    """How many rows the statement has written."""
    result: sa.CursorResult[Any] = connection.execute(statement, execution_options={"preserve_rowcount": True})
    return result.rowcount


def _new_id(layout: Layout) -> dict[str, Any]:
    """A new ``id`` where that column is text; any other ``id`` is the customer's and has its own default."""
    column = layout.names.get("id")
    if column is None:
        return {}
    new = str(uuid.uuid4())
    takes = layout.types[column].kind is ColumnKind.TEXT and len(new) <= (layout.types[column].length or len(new))
    return {column: new} if takes else {}


def load_json(text: str) -> Any:
    """The value of a JSON column; a customer's text that is not JSON comes back as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def rejected(place: str, reason: str) -> DestinationRejected:
    """The database answered and refused."""
    return DestinationRejected(
        f"database {place} refused the operation: {reason}; correct the destination's settings or its table"
    )


def unavailable(place: str, reason: str) -> DestinationUnavailable:
    """The database did not answer, or not now."""
    return DestinationUnavailable(f"database {place} is not available: {reason}; check that it runs, then try again")
