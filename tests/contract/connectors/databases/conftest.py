"""Each database connector, on a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from docfleet.connectors.base import DatabaseConnector
from docfleet.connectors.databases.sql import SqlDatabase
from docfleet.connectors.memory import MemoryDatabase
from docfleet.connectors.registry import open_database
from tests.contract.connectors.databases.servers import Settings, sql_settings

TABLES = ("sqlite", "postgresql", "mariadb", "memory", "duckdb")
"""Whose tables have one list of columns for all rows."""
FILES = ("jsonl", "csv", "parquet")
"""Whose rows have columns of their own."""


@pytest.fixture(params=[*TABLES, *FILES])
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseConnector]:
    yield from _opened(request, tmp_path)


@pytest.fixture(params=TABLES)
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseConnector]:
    yield from _opened(request, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "memory", *FILES])
def exact_rows(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseConnector]:
    """Those whose columns of numbers hold every whole number of 64 bits beside fractions."""
    yield from _opened(request, tmp_path)


def _opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseConnector]:
    if request.param == "memory":
        yield MemoryDatabase()
        return
    with sql_settings(request.param, tmp_path) as settings:
        connector = open_database(*settings)
        yield connector
        connector.close()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    with sql_settings(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def database(settings: Settings) -> Iterator[SqlDatabase]:
    connector = open_database(*settings)
    assert isinstance(connector, SqlDatabase)
    yield connector
    connector.close()
