"""Migrations make the tables of the code."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from docfleet.backend.migrations.upgrade import upgrade
from docfleet.backend.tables.schema import metadata


def test_the_migrations_make_the_tables_of_the_code(api: Any) -> None:
    with api.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_upgrading_again_changes_nothing(api: Any) -> None:
    upgrade(api.database.url)
    assert api.get("/api/v1/workflows") == {"workflows": []}
