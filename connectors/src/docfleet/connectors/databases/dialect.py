"""What differs between the databases in how tables are made and understood. How rows are written differs in the
subclasses of ``SqlDatabase``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from docfleet.connectors.columns import ColumnKind, ColumnType

SqlType = sa.types.TypeEngine[Any]
Columns = Callable[[sa.Connection, str | None, str], list[tuple[str, SqlType]]]
Usable = Callable[[sa.Connection, SqlType], tuple[SqlType, ColumnType]]


def inspected(connection: sa.Connection, schema: str | None, name: str) -> list[tuple[str, SqlType]]:
    """The columns of a table as SQLAlchemy's inspector sees them."""
    return [(column["name"], column["type"]) for column in sa.inspect(connection).get_columns(name, schema=schema)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One database's ways."""

    types: Mapping[ColumnKind, SqlType]
    """Of the columns that Docfleet makes."""
    key: SqlType
    """Of the texts that Docfleet puts into keys and indexes, which many databases bound."""
    usable: Usable
    """The type to bind a reflected column with, and what the column takes."""
    columns: Columns = inspected
    """The names and types of a table's columns, in order."""
    table_options: Mapping[str, Any] = field(default_factory=dict)
    """Keywords of ``sa.Table`` for the tables that Docfleet makes."""
    quotes: bool | None = None
    """Whether every name is quoted; None: the reserved words and odd names that SQLAlchemy knows."""
    has_returning: bool = True
    """Whether INSERT and UPDATE answer with the row as it was stored."""
    has_transactional_ddl: bool = True
    """Whether a change of a table is part of the transaction. Elsewhere it ends the transaction."""
