"""Prepares a table for delivery: creates it, adds columns, finds its delivery key or makes the ledger that replaces
one. Every step may be repeated, and several processes may run it at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from docfleet.connectors.base import DOCUMENT_COLUMN, FILE_EXECUTION_COLUMN, LEDGER_TABLE, TableSettings
from docfleet.connectors.columns import ColumnKind, ColumnType, column_kind
from docfleet.connectors.databases.dialect import Dialect
from docfleet.connectors.rows import check_growth, fixed_columns

LEDGER_DAYS = 90
"""How long the ledger keeps a delivery. Deliveries of older executions are not repeated."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A table as it is in the database, ready to be written to. Where it has no unique delivery key, as a customer's
    table may not, ``ledger`` is the table that has it."""

    table: sa.Table
    types: dict[str, ColumnType]
    names: dict[str, str]  # casefolded name to the name in the database
    ledger: sa.Table | None = None
    key_index: str | None = None
    """The name of the index that makes a delivery unique, where the table has one."""

    def covers(self, cells: Mapping[str, Any], target: TableSettings) -> bool:
        """Whether every value has a column. A null in a split result needs none."""
        fixed = fixed_columns(target)
        return all(
            name.casefold() in self.names or (value is None and name not in fixed) for name, value in cells.items()
        )


def split_table_name(target: TableSettings, default_schema: str | None) -> tuple[str | None, str]:
    """The schema and the name of the target table."""
    schema, dot, name = target.table.rpartition(".")
    return (schema if dot else default_schema), name


def prepare(
    connection: sa.Connection,
    dialect: Dialect,
    target: TableSettings,
    schema: str | None,
    name: str,
    cells: Mapping[str, Any],
) -> Layout:
    """Create or complete the table inside the running transaction; raises SQLAlchemy's errors."""
    wanted = fixed_columns(target) | {
        column: kind for column, value in cells.items() if (kind := column_kind(value)) is not None
    }
    wanted |= fixed_columns(target)
    key = (target.execution_id, FILE_EXECUTION_COLUMN)
    if not sa.inspect(connection).has_table(name, schema=schema):
        table = _new_table(dialect, schema, name, wanted, key)
        connection.execute(CreateTable(table))
        _make_indexes(connection, table)
    layout = reflect(connection, dialect, schema, name)
    needed = set(cells)
    missing = {
        column: kind for column, kind in wanted.items() if column in needed and column.casefold() not in layout.names
    }
    if missing:
        check_growth(target, layout.types, missing)
        _add_columns(connection, dialect, layout, missing)
        layout = reflect(connection, dialect, schema, name)
    index = _unique_index(connection, layout.table, {layout.names[column.casefold()] for column in key})
    if index is not None:
        return replace(layout, key_index=index)
    # No index is built: that is the customer's decision, as it locks the table and may fail on its contents.
    return replace(layout, ledger=_prepare_ledger(connection, dialect, schema))


def drop(connection: sa.Connection, target: TableSettings, schema: str | None) -> None:
    """Drop the target table where there is one; raises SQLAlchemy's errors."""
    schema, name = split_table_name(target, schema)
    sa.Table(name, sa.MetaData(), schema=schema).drop(connection, checkfirst=True)


def _prepare_ledger(connection: sa.Connection, dialect: Dialect, schema: str | None) -> sa.Table:
    """The ledger, created if it is missing, without deliveries that are too old to be repeated."""
    ledger = ledger_table(dialect, schema)
    if not sa.inspect(connection).has_table(LEDGER_TABLE, schema=schema):
        connection.execute(CreateTable(ledger))
    now = sa.func.current_timestamp()
    layout = reflect(connection, dialect, schema, LEDGER_TABLE)
    if ledger.c.delivered_at.name not in layout.names:  # created by an earlier version
        _add_columns(connection, dialect, layout, {ledger.c.delivered_at.name: ColumnKind.TIMESTAMP})
        connection.execute(sa.update(ledger).values(delivered_at=now))
    _make_indexes(connection, ledger)
    oldest = connection.execute(sa.select(now)).scalar_one() - timedelta(days=LEDGER_DAYS)
    connection.execute(sa.delete(ledger).where(ledger.c.delivered_at < oldest))
    return ledger


def _make_indexes(connection: sa.Connection, table: sa.Table) -> None:
    present = {index["name"] for index in sa.inspect(connection).get_indexes(table.name, schema=table.schema)}
    for index in table.indexes:
        if index.name not in present:
            connection.execute(CreateIndex(index))


def reflect(connection: sa.Connection, dialect: Dialect, schema: str | None, name: str) -> Layout:
    """The table's columns as the database has them."""
    columns = []
    types = {}
    for column, reflected in dialect.columns(connection, schema, name):
        column_type, types[column] = dialect.usable(connection, reflected)
        columns.append(sa.Column(column, column_type, quote=dialect.quotes))
    table = sa.Table(name, sa.MetaData(), *columns, schema=schema, quote=dialect.quotes)
    return Layout(table, types, {column.casefold(): column for column in types})


def _new_table(
    dialect: Dialect, schema: str | None, name: str, columns: Mapping[str, ColumnKind], key: tuple[str, str]
) -> sa.Table:
    keys = ("id", *key, DOCUMENT_COLUMN)
    return sa.Table(
        name,
        sa.MetaData(),
        *(
            sa.Column(
                column,
                dialect.key if column in keys else dialect.types[kind],
                primary_key=column == "id",
                nullable=column != "id" and column not in key,
                quote=dialect.quotes,
            )
            for column, kind in columns.items()
        ),
        sa.UniqueConstraint(*key, name=_bounded(name, "uq", "delivery")),
        *(sa.Index(_bounded(name, "ix", "document"), column) for column in columns if column == DOCUMENT_COLUMN),
        schema=schema,
        quote=dialect.quotes,
        **dialect.table_options,
    )


def _add_columns(
    connection: sa.Connection, dialect: Dialect, layout: Layout, missing: Mapping[str, ColumnKind]
) -> None:
    preparer = connection.dialect.identifier_preparer
    for column, kind in missing.items():
        # SQLAlchemy has no construct for ADD COLUMN; both halves of the statement are quoted by its own compilers.
        definition = CreateColumn(sa.Column(column, dialect.types[kind], quote=dialect.quotes)).compile(
            dialect=connection.dialect
        )
        clause = f"ADD COLUMN {definition}"
        connection.exec_driver_sql(f"ALTER TABLE {preparer.format_table(layout.table)} {clause}")


def _unique_index(connection: sa.Connection, table: sa.Table, key: set[str]) -> str | None:
    """The name of the index by which the database itself refuses a second row of one delivery; None without one."""
    inspector = sa.inspect(connection)
    primary = inspector.get_pk_constraint(table.name, schema=table.schema)
    unique: dict[str, list[str]] = {str(primary["name"] or "PRIMARY"): primary["constrained_columns"]}
    for constraint in inspector.get_unique_constraints(table.name, schema=table.schema):
        unique[str(constraint["name"])] = constraint["column_names"]
    for index in inspector.get_indexes(table.name, schema=table.schema):
        options = index.get("dialect_options", {})
        if index["unique"] and not any(option.endswith("_where") for option in options):
            unique[str(index["name"])] = [column or "" for column in index["column_names"]]
    return next((name for name, columns in unique.items() if set(columns) == key), None)


def ledger_table(dialect: Dialect, schema: str | None) -> sa.Table:
    """The deliveries into the tables of a schema that have no unique key for them."""
    return sa.Table(
        LEDGER_TABLE,
        sa.MetaData(),
        sa.Column("table_name", dialect.key, primary_key=True),
        sa.Column("execution_id", dialect.key, primary_key=True),
        sa.Column(FILE_EXECUTION_COLUMN, dialect.key, primary_key=True),
        sa.Column("attempt", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("delivered_at", dialect.types[ColumnKind.TIMESTAMP], index=True),
        schema=schema,
        **dialect.table_options,
    )


def _bounded(table: str, kind: str, purpose: str) -> str:
    """An index name of at most 63 bytes that is the table's own."""
    name = f"{kind}_{table}_{purpose}"
    return (
        name if len(name) <= 63 else f"{kind}_{table[:40]}_{hashlib.sha256(table.encode()).hexdigest()[:8]}_{purpose}"
    )
