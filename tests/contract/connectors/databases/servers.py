"""Databases to deliver into, and what is in them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from docfleet.connectors.base import DeliveryRow
from docfleet.core.settings import environment
from tests.servers import skip_or_fail

Settings = tuple[str, dict[str, Any]]


@contextmanager
def sql_settings(name: str, folder: Path) -> Iterator[Settings]:
    """Settings of an empty database of this kind."""
    if name == "sqlite":
        yield name, {"path": str(folder / "new" / "rows.db")}
        return
    if name == "duckdb":
        yield name, {"path": str(folder / "new" / "rows.duckdb")}
        return
    if name in ("jsonl", "csv", "parquet"):
        yield name, {"path": str(folder / "tables")}
        return
    variable = f"DOCFLEET_TEST_{'POSTGRES' if name == 'postgresql' else 'MARIADB'}_URL"
    url = environment().get(variable)
    if not url:
        skip_or_fail(f"no {name}: set {variable}")
    schema = f"docfleet_{uuid.uuid4().hex[:12]}"
    if name == "mariadb":
        made = sa.make_url(url)
        with admin(url) as connection:
            connection.execute(sa.text(f"CREATE DATABASE {schema}"))
        fields = {"host": made.host, "port": made.port, "user": made.username, "password": made.password}
        yield name, {"database": schema, **fields}
        with admin(url) as connection:
            connection.execute(sa.text(f"DROP DATABASE {schema}"))
        return
    with admin(url) as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    yield name, {"connection_url": url, "schema": schema}
    with admin(url) as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))


@contextmanager
def admin(url: str) -> Iterator[sa.Connection]:
    made = sa.make_url(url)
    driver = "psycopg" if made.drivername == "postgresql" else "pymysql"
    engine = sa.create_engine(made.set(drivername=f"{made.drivername}+{driver}"))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def row(result: Any, file: str = "f1", **changes: Any) -> DeliveryRow:
    values = {"execution_id": "e1", "file_execution_id": file, "file_path": f"{file}.pdf", "result": result}
    return DeliveryRow(**values | changes)


def execute(settings: Settings, *statements: str) -> list[Any]:
    """Run statements as a customer would, in the test's schema."""
    if settings[0] == "sqlite":
        path = Path(settings[1]["path"])
        path.parent.mkdir(exist_ok=True)
        engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool)
    elif settings[0] == "mariadb":
        fields = {"username" if name == "user" else name: value for name, value in settings[1].items()}
        engine = sa.create_engine(sa.URL.create("mysql+pymysql", **fields), poolclass=sa.NullPool)
    else:
        engine = sa.create_engine(
            sa.make_url(settings[1]["connection_url"]).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool
        )
    answer: list[Any] = []
    with engine.begin() as connection:
        if settings[0] == "postgresql":
            connection.execute(sa.text(f"SET search_path TO {settings[1]['schema']}"))
        for statement in statements:
            found = connection.execute(sa.text(statement))
            answer = [tuple(line) for line in found] if found.returns_rows else []
    return answer
