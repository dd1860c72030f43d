"""Migrations make the tables of the code."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from litestar.testing import TestClient
from sqlalchemy import text

from docfleet.backend.app import create_app
from docfleet.backend.migrations import upgrade as upgrade_module
from docfleet.backend.migrations.upgrade import upgrade
from docfleet.backend.platform.db import Database
from docfleet.backend.tables.schema import metadata
from tests.integration.backend.server import DATABASES, Recorder, database_url, make_settings


def test_the_migrations_make_the_tables_of_the_code(api: Any) -> None:
    with api.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_upgrading_again_changes_nothing(api: Any) -> None:
    upgrade(api.database.url)
    assert api.get("/api/v1/workflows") == {"workflows": []}


def _before(url: str, revision: str) -> None:
    """Make the schema that ``revision`` is added to."""
    config = Config()
    config.set_main_option("script_location", str(Path(upgrade_module.__file__).parent))
    before = ScriptDirectory.from_config(config).get_revision(revision).down_revision
    database = Database(url)
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, before)
    database.close()


@pytest.mark.parametrize("kind", DATABASES)
def test_a_key_from_before_roles_opens_what_it_opened(kind: str, tmp_path: Path) -> None:
    with database_url(kind, tmp_path) as url:
        _before(url, "0008")
        database = Database(url)
        key = "dfk_" + "k" * 40
        values = {"hash": hashlib.sha256(key.encode()).hexdigest(), "id": "0" * 36}
        with database.writing() as connection:
            connection.execute(
                text(
                    "INSERT INTO organizations (organization_id, name, created_at, modified_at) VALUES ('o', 'O', 1, 1)"
                )
            )
            connection.execute(
                text(
                    "INSERT INTO api_keys (id, organization_id, scope, name, key_hash, key_prefix, is_active,"
                    " created_at) VALUES (:id, 'o', 'platform', 'k', :hash, 'dfk_kkkk', :yes, 1)"
                ),
                {**values, "yes": True},
            )
        database.close()
        settings = make_settings(url, execution_storage_root=str(tmp_path))
        with TestClient(create_app(settings, Recorder())) as client:
            headers = {"Authorization": f"Bearer {key}"}
            assert client.get("/api/v1/unstract/whoami", headers=headers).json()["organization_id"] == "o"
            assert client.get("/api/v1/unstract/o/api/deployment/", headers=headers).status_code == 200
            assert client.get("/api/v1/workflows", headers=headers).status_code == 403
            headers = {"Authorization": f"Bearer {settings.internal_service_api_key}", "X-Organization-ID": "o"}
            (row,) = client.get("/api/v1/keys", headers=headers).json()["keys"]
            assert (row["role"], row["key_suffix"], row["key_prefix"]) == (None, None, "dfk_kkkk")
