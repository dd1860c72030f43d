"""Rows into any database SQLAlchemy speaks: the part every SQL connector shares.

One connection an object, opened on first use. The unique key (execution_id, file_execution_id) makes a delivery
repeatable, so a connection that was reaped between two operations is replaced once and the write repeated.
"""

from __future__ import annotations

import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Literal

import sqlalchemy as sa

from docfleet.connectors.base import (
    FILE_EXECUTION_COLUMN,
    ColumnMode,
    ConnectorInfo,
    DeliveryReceipt,
    DeliveryRow,
    ForkGuard,
    TableSettings,
)
from docfleet.connectors.databases.schema import Layout, prepare, reflect, split_table_name
from docfleet.connectors.rows import SPLIT_COLUMNS_KEY, ColumnKind, fit, readable, shape_row
from docfleet.core.errors import DestinationError, DestinationRejected, DestinationUnavailable

_WRITE_ATTEMPTS = 3
_SCHEMA_ATTEMPTS = 4  # a concurrent writer may add the same column or table between our look and our change


class SqlDatabase(ForkGuard, ABC):
    """A database connector over one SQLAlchemy engine. ``place`` says where it is, without credentials."""

    info: ClassVar[ConnectorInfo]

    def __init__(self, engine: sa.Engine, place: str, schema: str | None = None) -> None:
        super().__init__(self.info.connector_id.partition("|")[0])
        self._engine = engine
        self._place = place
        self._schema = schema
        self._connection: sa.Connection | None = None
        self._layouts: dict[TableSettings, Layout] = {}

    @abstractmethod
    def _insert_once(self, table: sa.Table, values: dict[str, Any], key: list[str]) -> sa.Executable:
        """An INSERT that does nothing when the key is there, and returns a row only when it wrote one."""

    @abstractmethod
    def _failure(self, error: Exception) -> DestinationError:
        """The error a person reads; never with a credential or a bound value in it."""

    @abstractmethod
    def _is_stale(self, error: sa.exc.DBAPIError) -> bool:
        """Whether a table or column we knew is gone."""

    def _lock_schema(self, connection: sa.Connection, table: str) -> None:
        """Keep other Docfleet processes from changing the same table until the transaction ends."""

    def check(self) -> None:
        """See ``DatabaseConnector``."""
        self._guard()
        self._run(lambda connection: connection.execute(sa.text("SELECT 1")).scalar())

    def deliver(self, target: TableSettings, row: DeliveryRow) -> DeliveryReceipt:
        """See ``DatabaseConnector``. A row of a known shape costs one statement and a commit."""
        self._guard()
        cells = shape_row(target, row)
        for last in (False, True):
            layout = self._layout(target, cells)
            try:
                return self._run(partial(self._deliver, target=target, layout=layout, cells=cells))
            except DestinationRejected:
                if last or target in self._layouts:
                    raise
        raise AssertionError("the second attempt returns or raises")

    def read_rows(self, target: TableSettings, limit: int, execution_id: str | None = None) -> list[dict[str, Any]]:
        """See ``DatabaseConnector``."""
        self._guard()
        return self._run(lambda connection: self._read(connection, target, limit, execution_id))

    def close(self) -> None:
        """See ``DatabaseConnector``."""
        self._guard()
        self._disconnect()
        self._engine.dispose()

    def _run[T](self, operation: Callable[[sa.Connection], T]) -> T:
        """Run one operation in a transaction; once more when the connection was reaped while it was idle."""
        for last in (False, True):
            idle = self._connection is not None
            try:
                connection = self._connect()
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

    def _connect(self) -> sa.Connection:
        if self._connection is None:
            try:
                self._connection = self._engine.connect()
            except sa.exc.SQLAlchemyError as error:
                raise self._failure(error) from error
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _layout(self, target: TableSettings, cells: dict[str, Any]) -> Layout:
        """The table as it is, completed for these columns; looked at once for each new set of columns."""
        layout = self._layouts.get(target)
        if layout is None or not layout.covers(cells, target):
            # A transaction of its own: a row that is refused afterwards must not take the table with it.
            layout = self._run(partial(self._prepare, target=target, cells=cells))
            self._layouts[target] = layout
        return layout

    def _deliver(
        self, connection: sa.Connection, target: TableSettings, layout: Layout, cells: dict[str, Any]
    ) -> DeliveryReceipt:
        values = _bind(layout, cells)
        key = [layout.names[name.casefold()] for name in (target.execution_id, FILE_EXECUTION_COLUMN)]
        columns = tuple(values)
        new = _new_id(layout)
        for _ in range(_WRITE_ATTEMPTS):
            outcome: Literal["written", "replaced"] = "written"
            if connection.execute(self._insert_once(layout.table, new | values, key)).first() is None:
                outcome = "replaced"
                if not self._replace(connection, target, layout, values, key):
                    continue
            return DeliveryReceipt(outcome, layout.table.fullname, columns)
        raise unavailable(self._place, f"the row is deleted from {layout.table.fullname} as often as it is written")

    def _replace(
        self,
        connection: sa.Connection,
        target: TableSettings,
        layout: Layout,
        values: dict[str, Any],
        key: list[str],
    ) -> bool:
        """Overwrite the row of this key; what only its earlier result had becomes null.

        False when the row was deleted in between.
        """
        table = layout.table
        where = sa.and_(*(table.c[name] == values[name] for name in key))
        cleared: dict[str, Any] = {}
        if target.column_mode is ColumnMode.SPLIT:
            metadata = connection.execute(sa.select(table.c[layout.names["metadata"]]).where(where)).scalar()
            cleared = dict.fromkeys(name for name in _earlier_columns(metadata, layout) if name not in values)
        return connection.execute(sa.update(table).where(where).values(cleared | values)).rowcount > 0

    def _prepare(self, connection: sa.Connection, target: TableSettings, cells: dict[str, Any]) -> Layout:
        schema, name = split_table_name(target, self._schema)
        for attempt in range(_SCHEMA_ATTEMPTS):
            try:
                with connection.begin_nested():
                    self._lock_schema(connection, f"{schema}.{name}")
                    return prepare(connection, target, schema, name, cells)
            except (sa.exc.ProgrammingError, sa.exc.OperationalError, sa.exc.IntegrityError) as error:
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
        layout = reflect(connection, schema, name)
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


def _bind(layout: Layout, cells: dict[str, Any]) -> dict[str, Any]:
    """The values under the table's own column names, each fitted to its column."""
    values = {}
    for name, value in cells.items():
        column = layout.names.get(name.casefold())
        if column is not None:
            values[column] = fit(column, layout.kinds[column], value)
    return values


def _new_id(layout: Layout) -> dict[str, Any]:
    """A new ``id`` where the table's takes a text; any other is the customer's and has its own default."""
    column = layout.names.get("id")
    if column is None:
        return {}
    return {column: str(uuid.uuid4())} if layout.kinds[column] is ColumnKind.TEXT else {}


def _earlier_columns(metadata: Any, layout: Layout) -> list[str]:
    if isinstance(metadata, str):
        try:
            metadata = json.loads(metadata)
        except ValueError:
            return []
    listed = metadata.get(SPLIT_COLUMNS_KEY, []) if isinstance(metadata, dict) else []
    return [layout.names[name.casefold()] for name in listed if str(name).casefold() in layout.names]


def dump_json(value: Any) -> str:
    """JSON text for JSON columns; the values were cleaned, so it has no NaN."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


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
