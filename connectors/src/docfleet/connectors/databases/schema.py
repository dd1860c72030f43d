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
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from docfleet.connectors.base import DOCUMENT_COLUMN, FILE_EXECUTION_COLUMN, LEDGER_TABLE, TableSettings
from docfleet.connectors.columns import ColumnKind, ColumnType, column_kind
from docfleet.connectors.databases.types import ExactNumber, usable
from docfleet.connectors.rows import check_growth, fixed_columns

LEDGER_DAYS = 90
"""How long the ledger keeps a delivery. Deliveries of older executions are not repeated."""


_TYPES: dict[ColumnKind, sa.types.TypeEngine[Any]] = {
    ColumnKind.TEXT: sa.Text(),
    ColumnKind.INTEGER: sa.BigInteger(),
    ColumnKind.FLOAT: sa.Double(),
    ColumnKind.NUMBER: ExactNumber(),
    ColumnKind.BOOLEAN: sa.Boolean(create_constraint=False),
    ColumnKind.JSON: sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql"),
    ColumnKind.TIMESTAMP: sa.DateTime(timezone=True),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """A table as it is in the database, ready to be written to. Where it has no unique delivery key, as a customer's
    table may not, ``ledger`` is the table that has it."""

    table: sa.Table
    types: dict[str, ColumnType]
    names: dict[str, str]  # casefolded name to the name in the database
    ledger: sa.Table | None = None

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
    connection: sa.Connection, target: TableSettings, schema: str | None, name: str, cells: Mapping[str, Any]
) -> Layout:
    """Create or complete the table inside the running transaction; raises SQLAlchemy's errors."""
    wanted = fixed_columns(target) | {
        column: kind for column, value in cells.items() if (kind := column_kind(value)) is not None
    }
    wanted |= fixed_columns(target)
    key = (target.execution_id, FILE_EXECUTION_COLUMN)
    if not sa.inspect(connection).has_table(name, schema=schema):
        table = _new_table(schema, name, wanted, key)
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))
    layout = reflect(connection, schema, name)
    needed = set(cells)
    missing = {
        column: kind for column, kind in wanted.items() if column in needed and column.casefold() not in layout.names
    }
    if missing:
        check_growth(target, layout.types, missing)
        _add_columns(connection, layout, missing)
        layout = reflect(connection, schema, name)
    if _has_unique(connection, layout.table, {layout.names[column.casefold()] for column in key}):
        return layout
    # No index is built: that is the customer's decision, as it locks the table and may fail on its contents.
    return replace(layout, ledger=_prepare_ledger(connection, schema))


def drop(connection: sa.Connection, target: TableSettings, schema: str | None) -> None:
    """Drop the target table where there is one; raises SQLAlchemy's errors."""
    schema, name = split_table_name(target, schema)
    sa.Table(name, sa.MetaData(), schema=schema).drop(connection, checkfirst=True)


def _prepare_ledger(connection: sa.Connection, schema: str | None) -> sa.Table:
    """The ledger, created if it is missing, without deliveries that are too old to be repeated."""
    ledger = ledger_table(schema)
    connection.execute(CreateTable(ledger, if_not_exists=True))
    now = sa.func.current_timestamp()
    layout = reflect(connection, schema, LEDGER_TABLE)
    if ledger.c.delivered_at.name not in layout.names:  # created by an earlier version
        _add_columns(connection, layout, {ledger.c.delivered_at.name: ColumnKind.TIMESTAMP})
        connection.execute(sa.update(ledger).values(delivered_at=now))
    for index in ledger.indexes:
        connection.execute(CreateIndex(index, if_not_exists=True))
    oldest = connection.execute(sa.select(now)).scalar_one() - timedelta(days=LEDGER_DAYS)
    connection.execute(sa.delete(ledger).where(ledger.c.delivered_at < oldest))
    return ledger


def reflect(connection: sa.Connection, schema: str | None, name: str) -> Layout:
    """The table's columns as the database has them."""
    columns = []
    types = {}
    for reflected in sa.inspect(connection).get_columns(name, schema=schema):
        column_type, types[reflected["name"]] = usable(connection, reflected["type"])
        columns.append(sa.Column(reflected["name"], column_type))
    table = sa.Table(name, sa.MetaData(), *columns, schema=schema)
    return Layout(table, types, {column.casefold(): column for column in types})


def _new_table(schema: str | None, name: str, columns: Mapping[str, ColumnKind], key: tuple[str, str]) -> sa.Table:
    return sa.Table(
        name,
        sa.MetaData(),
        *(
            sa.Column(column, _TYPES[kind], primary_key=column == "id", nullable=column != "id" and column not in key)
            for column, kind in columns.items()
        ),
        sa.UniqueConstraint(*key, name=_bounded(name, "uq", "delivery")),
        *(sa.Index(_bounded(name, "ix", "document"), column) for column in columns if column == DOCUMENT_COLUMN),
        schema=schema,
    )


def _add_columns(connection: sa.Connection, layout: Layout, missing: Mapping[str, ColumnKind]) -> None:
    preparer = connection.dialect.identifier_preparer
    for column, kind in missing.items():
        # SQLAlchemy has no construct for ADD COLUMN; both halves of the statement are quoted by its own compilers.
        definition = CreateColumn(sa.Column(column, _TYPES[kind])).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {preparer.format_table(layout.table)} ADD COLUMN {definition}")


def _has_unique(connection: sa.Connection, table: sa.Table, key: set[str]) -> bool:
    """Whether the database itself refuses a second row of one delivery."""
    inspector = sa.inspect(connection)
    unique = [inspector.get_pk_constraint(table.name, schema=table.schema)["constrained_columns"]]
    unique += [
        constraint["column_names"] for constraint in inspector.get_unique_constraints(table.name, schema=table.schema)
    ]
    for index in inspector.get_indexes(table.name, schema=table.schema):
        options = index.get("dialect_options", {})
        if index["unique"] and not any(option.endswith("_where") for option in options):
            unique.append([column or "" for column in index["column_names"]])
    return any(set(columns) == key for columns in unique)


def ledger_table(schema: str | None) -> sa.Table:
    """The deliveries into the tables of a schema that have no unique key for them."""
    return sa.Table(
        LEDGER_TABLE,
        sa.MetaData(),
        sa.Column("table_name", sa.Text(), primary_key=True),
        sa.Column("execution_id", sa.Text(), primary_key=True),
        sa.Column(FILE_EXECUTION_COLUMN, sa.Text(), primary_key=True),
        sa.Column("attempt", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("delivered_at", _TYPES[ColumnKind.TIMESTAMP], index=True),
        schema=schema,
    )


def _bounded(table: str, kind: str, purpose: str) -> str:
    """An index name of at most 63 bytes that is the table's own."""
    name = f"{kind}_{table}_{purpose}"
    return (
        name if len(name) <= 63 else f"{kind}_{table[:40]}_{hashlib.sha256(table.encode()).hexdigest()[:8]}_{purpose}"
    )
