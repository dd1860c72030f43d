"""The database: one engine, short transactions, one clock.

SQLite runs in WAL mode and takes its write lock when a writing transaction begins (``BEGIN IMMEDIATE``), so a
transaction never fails halfway because another one wrote. On PostgreSQL writers of one execution queue at that
execution's row (``executions.repository.lock_execution``).

Every time that is compared comes from the database: ``db_now()``, seconds since the epoch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Date, Engine, Float, MetaData, Row, Text, create_engine, event, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from docfleet.core.errors import ConfigurationError

type Record = Row[*tuple[Any, ...]]
"""A row of a query, columns by attribute."""

THREADS = 8
"""The most requests that use the database at once; also the size of the connection pool."""

SECONDS_PER_DAY = 86_400.0

_STATEMENT_TIMEOUT_MS = 30_000
_LOCK_TIMEOUT_MS = 10_000
_IDLE_TIMEOUT_MS = 120_000
_BUSY_TIMEOUT_MS = 15_000

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every table of the backend."""


class db_now(FunctionElement[float]):  # noqa: N801 - reads like the SQL function it is
    """The database's clock: seconds since the epoch, with milliseconds or better."""

    type = Float()
    inherit_cache = True


@compiles(db_now, "sqlite")
def _now_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(db_now, "postgresql")
def _now_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return "extract(epoch from clock_timestamp())::double precision"


class utc_today(FunctionElement[date]):  # noqa: N801 - reads like the SQL function it is
    """The day of UTC by the database's clock."""

    type = Date()
    inherit_cache = True


@compiles(utc_today, "sqlite")
def _today_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return "date('now')"


@compiles(utc_today, "postgresql")
def _today_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return "(clock_timestamp() AT TIME ZONE 'UTC')::date"


class Json(TypeDecorator[Any]):
    """A JSON value kept as text: both databases store it as it is, escaped NULs included."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Encode."""
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Decode."""
        return None if value is None else msgspec.json.decode(value)


def clean(text: str | None, longest: int | None = None) -> str | None:
    """``text`` as a column accepts it: PostgreSQL refuses NUL characters, so they become U+FFFD."""
    if text is None:
        return None
    text = text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return text if longest is None or len(text) <= longest else text[: longest - 1] + "…"


def iso(seconds: float | None) -> str:
    """Seconds since the epoch as ISO 8601 in UTC; empty when there is none."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def emit(connection: Connection, event: Any) -> None:
    """Hand ``event`` to ``Database.after_commit`` once this writing transaction is committed."""
    connection.get_execution_options()["docfleet_events"].append(event)


def upsert(connection: Connection, table: Any) -> Any:
    """An INSERT of this dialect with ``on_conflict_do_update``."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def chunks[T](items: list[T], size: int = 500) -> Iterator[list[T]]:
    """``items`` in lists of at most ``size``: a statement takes a bounded number of parameters."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def normalise_url(url: str) -> str:
    """``url`` with the driver Docfleet uses. Raises ``ConfigurationError``; the message holds no password."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(
            "setting DATABASE_URL is malformed: use sqlite:////folder/docfleet.db or postgresql://user@host/name"
        ) from error
    name = parsed.drivername.partition("+")[0]
    if name in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    if name == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ConfigurationError("setting DATABASE_URL names no file: use sqlite:////folder/docfleet.db")
        return parsed.set(drivername="sqlite+pysqlite").render_as_string(hide_password=False)
    raise ConfigurationError(f"setting DATABASE_URL: {name!r} is not supported; use sqlite or postgresql")


class Database:
    """The engine, and the two ways to use it: ``reading`` and ``writing``."""

    def __init__(self, url: str) -> None:
        self.url = normalise_url(url)
        self.after_commit: Callable[[list[Any]], None] | None = None
        self._write_lock: threading.Lock | None = None
        if self.url.startswith("sqlite"):
            Path(make_url(self.url).database or "").parent.mkdir(parents=True, exist_ok=True)
            # SQLite has one writer anyway; queueing here is fair and costs no polling.
            self._write_lock = threading.Lock()
            self.engine = _sqlite_engine(self.url)
        else:
            self.engine = _postgresql_engine(self.url)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that does not write."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that may write; committed when the block ends, rolled back when it raises."""
        events: list[Any] = []
        with self._write_lock or nullcontext(), self.engine.connect() as plain:
            connection = plain.execution_options(docfleet_writing=True, docfleet_events=events)
            with connection.begin():
                yield connection
        if events and self.after_commit is not None:
            self.after_commit(events)

    def check(self) -> None:
        """Make one round trip; raises the driver's error when the database does not answer."""
        with self.reading() as connection:
            connection.execute(select(1))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url, pool_size=THREADS, max_overflow=THREADS, connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000}
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        # The driver must not open transactions by itself: _begin does, in the right mode.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={_BUSY_TIMEOUT_MS}", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("docfleet_writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _postgresql_engine(url: str) -> Engine:
    return create_engine(
        url,
        pool_size=THREADS,
        max_overflow=THREADS,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 5,
            "options": f"-c statement_timeout={_STATEMENT_TIMEOUT_MS} -c lock_timeout={_LOCK_TIMEOUT_MS} "
            # A process that hangs or is paused in a transaction must not keep its locks.
            f"-c idle_in_transaction_session_timeout={_IDLE_TIMEOUT_MS}",
        },
    )
