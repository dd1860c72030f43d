"""MySQL 8 and MariaDB 10.5 and later, through PyMySQL.

A change of a table ends the transaction there, and neither database answers every statement with the row it wrote. So
tables are changed under a named lock of the session, and a written row is read again before the commit.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.pool import NullPool

from docfleet.connectors.base import ConnectorInfo, ConnectorMode, missing_library
from docfleet.connectors.columns import ColumnKind, ColumnType
from docfleet.connectors.databases.dialect import Dialect, SqlType, inspected
from docfleet.connectors.databases.sql import SqlDatabase, TargetRow, load_json, rejected, unavailable
from docfleet.connectors.databases.types import ExactNumber, type_name, usable
from docfleet.connectors.rows import dump_json
from docfleet.connectors.settings import stored_settings
from docfleet.core.errors import ConfigurationError, DestinationError, DestinationRejected

CONNECT_SECONDS = 10
LOCK_SECONDS = 30
STATEMENT_SECONDS = 60
IDLE_SECONDS = 20
"""Seconds after which MariaDB ends the transaction of a suspended writer; MySQL has no such limit."""

_SQL_MODE = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
_KEY_LENGTH = 255
_PRECISION, _SCALE = 65, 30
"""Of the widest number there is: 35 digits before the point and 30 after it."""
_FLOAT_DIGITS = 6
"""A FLOAT is shown with so many, whatever it holds."""
_UTF8 = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}

_RETRYABLE = {
    *(1020, 1205, 1213, 1412, 1614),  # changed meanwhile, lock timeout, deadlock, table changed
    *(1040, 1129, 1135, 1203, 1226, 1637),  # too many connections or transactions
    *(1021, 1041, 1114, 1180),  # no space, no memory
    *(1053, 1077, 1079, 1152, 1317, 1927, 1969, 3024, 4031),  # shutdown, killed, timeouts
    *(1158, 1159, 1160, 1161, 2002, 2003, 2006, 2013, 2014, 0),  # the network
    *(1290, 1792, 1836),  # read-only: a replica about to be promoted
}
_STALE = (1054, 1146, 1176)  # no such column, table, index
_CHECKS = sa.text(
    "SELECT check_clause FROM information_schema.check_constraints "
    "WHERE constraint_schema = coalesce(:schema, database()) AND table_name = :name"
)
_TOO_WIDE = (1117, 1118)
_DUPLICATE = 1062
# These messages quote a value.
_VALUES = (re.compile(r"(entry|value:?) '.*' (?=for )"), re.compile(r"(entry|value:?) '.*'$"))


class _PlainNumber(ExactNumber):
    """A fraction bound in plain digits: a literal with an exponent is a DOUBLE to these databases."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        """The digits of the shortest decimal that is this number."""
        exact = super().process_bind_param(value, dialect)
        return f"{exact:f}" if isinstance(exact, Decimal) else exact


def _usable(connection: sa.Connection, reflected: SqlType) -> tuple[SqlType, ColumnType]:
    name = type_name(reflected, connection.dialect)
    match reflected:
        case mysql.TINYINT() if reflected.display_width == 1:
            return sa.Boolean(create_constraint=False), ColumnType(ColumnKind.BOOLEAN, name)
        case mysql.BIT():
            # The digits of a text would be stored as their characters.
            return reflected, ColumnType(ColumnKind.BINARY, name)
        case sa.Float() if reflected.scale is not None:
            return _PlainNumber(), ColumnType(
                ColumnKind.NUMBER, name, precision=reflected.precision, scale=reflected.scale
            )
        case mysql.FLOAT():
            return sa.Float(), ColumnType(ColumnKind.FLOAT, name, bits=32, precision=_FLOAT_DIGITS)
        case sa.Float():
            return sa.Double(), ColumnType(ColumnKind.FLOAT, name)
        case sa.Numeric():
            return _PlainNumber(), ColumnType(
                ColumnKind.NUMBER, name, precision=reflected.precision, scale=reflected.scale
            )
        case mysql.DATETIME() | mysql.TIMESTAMP():
            return reflected, ColumnType(ColumnKind.TIMESTAMP, name, has_zone=False, fraction=reflected.fsp or 0)
    return usable(connection, reflected)


def _columns(connection: sa.Connection, schema: str | None, name: str) -> list[tuple[str, SqlType]]:
    """JSON of MariaDB is a text with a check, and only the check tells."""
    found = inspected(connection, schema, name)
    if not getattr(connection.dialect, "is_mariadb", False):
        return found
    checks = {str(check).lower() for check in connection.scalars(_CHECKS, {"schema": schema, "name": name})}
    quote = connection.dialect.identifier_preparer.quote_identifier
    return [
        (column, sa.JSON() if f"json_valid({quote(column)})".lower() in checks else column_type)
        for column, column_type in found
    ]


MYSQL = Dialect(
    types={
        ColumnKind.TEXT: mysql.LONGTEXT(**_UTF8),
        ColumnKind.INTEGER: sa.BigInteger(),
        ColumnKind.NUMBER: _PlainNumber(_PRECISION, _SCALE),
        ColumnKind.BOOLEAN: sa.Boolean(create_constraint=False),
        ColumnKind.JSON: sa.JSON(none_as_null=True),
        ColumnKind.TIMESTAMP: mysql.DATETIME(fsp=6),
    },
    key=mysql.VARCHAR(_KEY_LENGTH, **_UTF8),
    usable=_usable,
    columns=_columns,
    table_options={
        "mysql_engine": "InnoDB",
        "mysql_row_format": "DYNAMIC",
        "mysql_charset": _UTF8["charset"],
        "mysql_collate": _UTF8["collation"],
    },
    # The list of reserved words differs from version to version.
    quotes=True,
    has_returning=False,
    has_transactional_ddl=False,
)


def _schema(title: str, port: int) -> dict[str, Any]:
    return {
        "title": title,
        "type": "object",
        "required": ["host", "database", "user"],
        "properties": {
            "connectorName": {"type": "string", "title": "Name of the connector"},
            "host": {"type": "string", "title": "Host", "default": "localhost"},
            "port": {"type": "integer", "title": "Port", "default": port},
            "database": {"type": "string", "title": "Database"},
            "user": {"type": "string", "title": "User", "default": "root"},
            "password": {"type": "string", "title": "Password", "format": "password"},
            "sslEnabled": {
                "type": "boolean",
                "title": "TLS only",
                "description": "Refuse connections that are not encrypted",
                "default": False,
            },
            "sslCa": {
                "type": "string",
                "title": "Certificate authority",
                "description": "File in PEM form; the certificate of the server and its host name are then verified",
            },
        },
        "additionalProperties": False,
    }


class MysqlDatabase(SqlDatabase):
    """``host``, ``port``, ``database``, ``user``, ``password``; ``sslEnabled`` and ``sslCa`` for TLS."""

    dialect: ClassVar[Dialect] = MYSQL
    info: ClassVar[ConnectorInfo] = ConnectorInfo(
        connector_id="mysql|db709852-fa51-4aa6-9b91-afc45f111bec",
        name="MySQL",
        description="A MySQL database",
        mode=ConnectorMode.DATABASE,
        can_read=True,
        can_write=True,
        json_schema=_schema("MySQL", 3306),
        secrets=("password",),
        tested="MariaDB 10.11",
        extra="mysql",
        libraries=("pymysql",),
    )

    def __init__(self, settings: Mapping[str, Any]) -> None:
        values = stored_settings(self.info, settings)
        self._password = values.get("password")
        engine = _engine(self.info, values)
        sa.event.listen(engine, "do_connect", _count_changes)
        sa.event.listen(engine, "connect", _configure)
        self._is_locked = False
        super().__init__(engine, f"{values['host']}:{values['port']}/{values['database']}")

    def _run[T](self, operation: Callable[[sa.Connection], T], *, reading: bool = False) -> T:
        try:
            return super()._run(operation, reading=reading)
        finally:
            self._unlock()

    def _lock_schema(self, connection: sa.Connection, table: str) -> None:
        # A name has at most 64 characters, and is one for all databases of the server.
        digest = hashlib.sha256(f"{self._engine.url.database} {table}".encode()).hexdigest()
        name = f"docfleet_{digest[:40]}"
        self._is_locked = True
        if connection.execute(sa.select(sa.func.get_lock(name, LOCK_SECONDS))).scalar() != 1:
            raise unavailable(self._place, f"another writer has changed {table} for {LOCK_SECONDS} seconds")

    def _unlock(self) -> None:
        """Named locks end with the session, not with the transaction."""
        connection = self._connection
        if not self._is_locked or connection is None:
            return
        self._is_locked = False
        try:
            with connection.begin():
                connection.exec_driver_sql("DO RELEASE_ALL_LOCKS()")
        except sa.exc.SQLAlchemyError:
            self._disconnect()  # which releases them

    def _disconnect(self) -> None:
        self._is_locked = False
        super()._disconnect()

    def _insert_once(self, table: sa.Table, values: dict[str, Any], key: list[str]) -> Any:
        same = table.c[key[-1]]
        # The assignment changes nothing, so such a row does not count as written (see _count_changes).
        return mysql.insert(table).values(values).on_duplicate_key_update({same.name: same})

    def _stored_row(self, connection: sa.Connection, row: TargetRow) -> sa.RowMapping | None:
        table = row.layout.table
        query = sa.select(*row.columns).select_from(table).where(row.has_key)
        if row.layout.key_index is not None:
            # Without the unique index the INSERT has asked for nothing: this fails when it has been dropped.
            index = connection.dialect.identifier_preparer.quote(row.layout.key_index)
            query = query.with_hint(table, f"FORCE INDEX ({index.replace('%', '%%')})", "mysql")
        stored = connection.execute(query).mappings().first()
        if stored is not None:
            self._require_json(row, stored)
        return stored

    def _require_json(self, row: TargetRow, stored: sa.RowMapping) -> None:
        """MySQL keeps numbers of JSON in 64 bits, and rounds those that need more."""
        for name, value in row.values.items():
            if row.layout.types[name].kind is ColumnKind.JSON and stored[name] != value:
                raise DestinationRejected(
                    f"column {name!r} is of type {row.layout.types[name]} and cannot keep a number of the value "
                    "exactly: make the column LONGTEXT"
                )

    def _is_stale(self, error: sa.exc.DBAPIError) -> bool:
        return _code(error.orig) in _STALE

    def _failure(self, error: Exception) -> DestinationError:
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        code = _code(cause)
        reason = str(cause.args[-1]) if code is not None and cause is not None else str(cause)
        reason = " ".join(reason.split())
        for quoted in _VALUES:
            reason = quoted.sub(r"\1 (not shown) ", reason)
        reason = reason[:500] or type(cause).__name__
        reason = reason.replace(self._password, "***") if self._password else reason
        if code in _TOO_WIDE:
            reason = f"{reason.rstrip('.')}: a result of so many fields needs WRITE_JSON_TO_A_SINGLE_COLUMN"
        return unavailable(self._place, reason) if code in _RETRYABLE else rejected(self._place, reason)


class MariadbDatabase(MysqlDatabase):
    """As ``MysqlDatabase``."""

    info: ClassVar[ConnectorInfo] = ConnectorInfo(
        connector_id="mariadb|146b0124-b9fc-466f-8e68-098ff60703e8",
        name="MariaDB",
        description="A MariaDB database",
        mode=ConnectorMode.DATABASE,
        can_read=True,
        can_write=True,
        json_schema=_schema("MariaDB", 3306),
        secrets=("password",),
        tested="MariaDB 10.11",
        extra="mysql",
        libraries=("pymysql",),
    )


def _engine(info: ConnectorInfo, values: Mapping[str, Any]) -> sa.Engine:
    url = sa.URL.create(
        "mysql+pymysql",
        username=values["user"],
        password=values.get("password"),
        host=values["host"],
        port=values["port"],
        database=values["database"],
    )
    arguments = {
        "charset": "utf8mb4",
        "connect_timeout": CONNECT_SECONDS,
        # A server that does not answer any more is noticed when the time of the statement is over.
        "read_timeout": STATEMENT_SECONDS + CONNECT_SECONDS,
        "write_timeout": STATEMENT_SECONDS,
        "program_name": "docfleet",
        # Set before SQLAlchemy looks: it takes from the mode how names are quoted.
        "sql_mode": _SQL_MODE,
    }
    if values["sslEnabled"] or "sslCa" in values:
        arguments["ssl"] = _tls(info, values.get("sslCa"))
    try:
        return sa.create_engine(
            url,
            poolclass=NullPool,
            isolation_level="READ COMMITTED",
            json_serializer=dump_json,
            json_deserializer=load_json,
            hide_parameters=True,
            connect_args=arguments,
        )
    except ModuleNotFoundError as error:
        raise missing_library(info, error.name or "pymysql") from error


def _tls(info: ConnectorInfo, authority: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise ConfigurationError(
            f"connector {info.short_name}: field 'sslCa' is not a readable file of certificates in PEM form"
        ) from error
    if authority is None:
        # Servers make certificates for themselves, which no authority knows.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _count_changes(_dialect: Any, _record: Any, _arguments: list[Any], parameters: dict[str, Any]) -> None:
    # SQLAlchemy asks for the number of rows found; an INSERT that met its key would count as one that was written.
    from pymysql.constants import CLIENT

    parameters["client_flag"] = parameters.get("client_flag", 0) & ~CLIENT.FOUND_ROWS


def _configure(connection: Any, _record: Any) -> None:
    settings = {
        "time_zone": "'+00:00'",
        "lock_wait_timeout": LOCK_SECONDS,
        "innodb_lock_wait_timeout": LOCK_SECONDS,
    }
    if "mariadb" in connection.get_server_info().lower():
        settings |= {"max_statement_time": STATEMENT_SECONDS, "idle_transaction_timeout": IDLE_SECONDS}
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION " + ", ".join(f"{name} = {value}" for name, value in settings.items()))


def _code(cause: BaseException | None) -> int | None:
    code = cause.args[0] if cause is not None and cause.args else None
    return code if isinstance(code, int) else None
