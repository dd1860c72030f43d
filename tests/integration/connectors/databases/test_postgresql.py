"""The PostgreSQL connector."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from docfleet.connectors.base import ColumnMode, TableSettings
from docfleet.connectors.databases.postgresql import PostgresqlDatabase
from docfleet.core.errors import DestinationRejected, DestinationUnavailable
from tests.contract.connectors.databases.servers import Settings, execute, row, sql_settings

SINGLE = TableSettings()
SPLIT = TableSettings(table="split_rows", column_mode=ColumnMode.SPLIT)


def test_an_unreachable_server_is_unavailable_and_the_password_is_not_shown() -> None:
    database = PostgresqlDatabase({"host": "127.0.0.1", "port": 9, "password": "tops3cret"})
    with pytest.raises(DestinationUnavailable, match=r"127\.0\.0\.1:9/postgres") as caught:
        database.check()
    assert "tops3cret" not in str(caught.value)


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Settings]:
    with sql_settings("postgresql", tmp_path) as found:
        yield found


def test_a_wrong_password_is_refused_and_not_shown(postgres: Settings) -> None:
    url = sa.make_url(postgres[1]["connection_url"])
    if not url.password:
        pytest.skip("this server asks for no password")
    wrong = url.set(password="tops3cret").render_as_string(hide_password=False)
    with pytest.raises(DestinationRejected, match="authentication failed") as caught:
        PostgresqlDatabase({"connection_url": wrong}).check()
    assert "tops3cret" not in str(caught.value)


def test_a_connection_reaped_between_two_rows_is_replaced(postgres: Settings) -> None:
    database = PostgresqlDatabase(postgres[1])
    database.deliver(SINGLE, row({"n": 1}))
    pid = database._run(lambda connection: connection.exec_driver_sql("SELECT pg_backend_pid()").scalar())
    execute(postgres, f"SELECT pg_terminate_backend({pid}, 5000)")
    assert database.deliver(SINGLE, row({"n": 2}, file="f2")).outcome == "written"
    assert len(database.read_rows(SINGLE, 9)) == 2
    database.close()


def test_postgresql_column_types(postgres: Settings) -> None:
    database = PostgresqlDatabase(postgres[1])
    database.deliver(SPLIT, row({"t": "x", "n": 1, "f": 1.5, "b": True, "j": [1]}))
    database.close()
    types = execute(
        postgres,
        "SELECT column_name, data_type FROM information_schema.columns "
        f"WHERE table_schema = '{postgres[1]['schema']}' AND table_name = 'split_rows'",
    )
    assert {
        "t": "text",
        "n": "numeric",
        "f": "numeric",
        "b": "boolean",
        "j": "jsonb",
        "metadata": "jsonb",
        "created_at": "timestamp with time zone",
    }.items() <= dict(types).items()


def test_a_missing_schema_and_a_value_too_long_are_refused(postgres: Settings) -> None:
    database = PostgresqlDatabase(postgres[1])
    with pytest.raises(DestinationRejected, match="nowhere"):
        database.deliver(TableSettings(table="nowhere.t"), row({}))
    execute(postgres, "CREATE TABLE short (v VARCHAR(3))")
    target = TableSettings(table="short", column_mode=ColumnMode.SPLIT)
    with pytest.raises(DestinationRejected, match="does not take a text of 12 characters") as caught:
        database.deliver(target, row({"v": "confidential"}))
    assert "confidential" not in caught.value.message
    database.close()
