"""PostgreSQL 12 and later, through psycopg 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.pool import NullPool

from docfleet.connectors.base import ConnectorInfo, ConnectorMode
from docfleet.connectors.columns import ColumnKind
from docfleet.connectors.databases.dialect import Dialect
from docfleet.connectors.databases.sql import SqlDatabase, rejected, unavailable
from docfleet.connectors.databases.types import ExactNumber, usable
from docfleet.connectors.rows import dump_json
from docfleet.connectors.settings import stored_settings
from docfleet.core.errors import ConfigurationError, DestinationError

CONNECT_SECONDS = 10
LOCK_SECONDS = 30
STATEMENT_SECONDS = 60
IDLE_SECONDS = 20
"""Seconds after which the server ends the transaction of a suspended writer, so that its successor can write."""

# SQLSTATE classes of transient states: connection, transaction rollback, resources, operator intervention, system.
_RETRYABLE_CLASSES = ("08", "40", "53", "57", "58")
_RETRYABLE_STATES = ("55P03", "25006")  # lock not available; read-only (a standby about to be promoted)
_STALE_STATES = ("42P01", "42703", "42P10")  # undefined table, undefined column, no such unique key
# During connect, psycopg has no SQLSTATE, only the server's text.
_REFUSALS = ("authentication failed", "does not exist", "no pg_hba.conf entry", "no password supplied")


POSTGRESQL = Dialect(
    types={
        ColumnKind.TEXT: sa.Text(),
        ColumnKind.INTEGER: sa.BigInteger(),
        ColumnKind.NUMBER: ExactNumber(),
        ColumnKind.BOOLEAN: sa.Boolean(create_constraint=False),
        ColumnKind.JSON: JSONB(none_as_null=True),
        ColumnKind.TIMESTAMP: sa.DateTime(timezone=True),
    },
    key=sa.Text(),
    usable=usable,
)


class PostgresqlDatabase(SqlDatabase):
    """``{"connection_url": ...}`` or ``host``, ``port``, ``database``, ``schema``, ``user``, ``password``."""

    dialect: ClassVar[Dialect] = POSTGRESQL
    info: ClassVar[ConnectorInfo] = ConnectorInfo(
        connector_id="postgresql|6db35f45-be11-4fd5-80c5-85c48183afbb",
        name="PostgreSQL",
        description="A PostgreSQL database",
        mode=ConnectorMode.DATABASE,
        can_read=True,
        can_write=True,
        tested="PostgreSQL 15",
        json_schema={
            "title": "PostgreSQL",
            "type": "object",
            "required": [],
            "properties": {
                "connectorName": {"type": "string", "title": "Name of the connector"},
                "connection_url": {
                    "type": "string",
                    "title": "Connection URL",
                    "description": "postgresql://user:password@host:5432/database; replaces the fields below",
                    "format": "password",
                },
                "host": {"type": "string", "title": "Host"},
                "port": {"type": "integer", "title": "Port", "default": 5432},
                "database": {"type": "string", "title": "Database", "default": "postgres"},
                "schema": {"type": "string", "title": "Schema", "default": "public"},
                "user": {"type": "string", "title": "User", "default": "postgres"},
                "password": {"type": "string", "title": "Password", "format": "password"},
            },
            "additionalProperties": False,
        },
        secrets=("connection_url", "password"),
    )

    def __init__(self, settings: Mapping[str, Any]) -> None:
        values = stored_settings(self.info, settings)
        url = _url(values)
        self._password = url.password
        engine = sa.create_engine(
            url,
            poolclass=NullPool,
            json_serializer=dump_json,
            hide_parameters=True,
            connect_args={
                "connect_timeout": CONNECT_SECONDS,
                # Prepared statements break behind a pooler that assigns another session to each transaction.
                "prepare_threshold": None,
                "application_name": "docfleet",
                "keepalives_idle": 30,
            },
        )
        sa.event.listen(engine, "connect", _configure)
        super().__init__(engine, f"{url.host or 'localhost'}:{url.port or 5432}/{url.database}", values["schema"])

    def _insert_once(self, table: sa.Table, values: dict[str, Any], key: list[str]) -> Any:
        return insert(table).values(values).on_conflict_do_nothing(index_elements=key)

    def _lock_schema(self, connection: sa.Connection, table: str) -> None:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(table, 0))))

    def _is_stale(self, error: sa.exc.DBAPIError) -> bool:
        return getattr(error.orig, "sqlstate", None) in _STALE_STATES

    def _failure(self, error: Exception) -> DestinationError:
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        reason = self._reason(cause)
        state = getattr(cause, "sqlstate", None)
        if state is not None:
            passes = state[:2] in _RETRYABLE_CLASSES or state in _RETRYABLE_STATES
        else:
            passes = isinstance(cause, psycopg.OperationalError) and not any(sign in reason for sign in _REFUSALS)
        return unavailable(self._place, reason) if passes else rejected(self._place, reason)

    def _reason(self, cause: BaseException | None) -> str:
        """The server's own words without its DETAIL, which quotes values, and without the password."""
        reason = None
        if isinstance(cause, psycopg.Error):
            reason = cause.diag.message_primary
        # Several addresses of one host give several lines, the first of them without a reason.
        reason = reason or " ".join(str(cause).split())[:500] or type(cause).__name__
        return reason.replace(self._password, "***") if self._password else reason


def _url(values: dict[str, Any]) -> sa.URL:
    if "connection_url" in values:
        try:
            url = sa.make_url(values["connection_url"])
        except (sa.exc.ArgumentError, ValueError) as error:
            # The URL holds the password: neither the message nor the cause may show it.
            del error
            url = None
        if url is None or url.get_backend_name() not in ("postgresql", "postgres"):
            raise ConfigurationError(
                "connector postgresql: field 'connection_url' is not a URL of the form "
                "postgresql://user:password@host:5432/database"
            )
        return url.set(drivername="postgresql+psycopg")
    if "host" not in values:
        raise ConfigurationError("connector postgresql: set 'connection_url', or 'host' and its fields")
    return sa.URL.create(
        "postgresql+psycopg",
        username=values["user"],
        password=values.get("password"),
        host=values["host"],
        port=values["port"],
        database=values["database"],
    )


def _configure(connection: psycopg.Connection[Any], _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SET statement_timeout = '{STATEMENT_SECONDS}s'; SET lock_timeout = '{LOCK_SECONDS}s'; "
            f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'"
        )
    connection.commit()
