"""Settings, encryption, URLs and the schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from cryptography.fernet import Fernet
from sqlalchemy import text

from docfleet.backend.migrations.upgrade import upgrade
from docfleet.backend.platform.db import Database, clean, normalise_url
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.settings import BackendSettings
from docfleet.backend.tables.schema import metadata
from docfleet.core.errors import ConfigurationError
from docfleet.core.settings import read_settings

GOOD = {
    "DATABASE_URL": "sqlite:////tmp/x.db",
    "INTERNAL_SERVICE_API_KEY": "k" * 32,
    "ENCRYPTION_KEY": Fernet.generate_key().decode(),
    "CELERY_BROKER_BASE_URL": "redis://localhost",
}


def test_the_defaults() -> None:
    settings = read_settings(BackendSettings, GOOD)
    assert (settings.backend_port, settings.max_file_attempts, settings.keys) == (8000, 3, ("k" * 32,))
    assert "k" * 32 not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://x/y"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", ""),
        ("INTERNAL_SERVICE_API_KEY", "dev-internal-key-123"),
        ("INTERNAL_SERVICE_API_KEY", "short"),
        ("INTERNAL_SERVICE_API_KEY_PREVIOUS", "short"),
        ("BACKEND_PORT", "http"),
        ("BACKEND_PORT", "70000"),
        ("MAX_FILE_ATTEMPTS", "0"),
        ("LOG_FORMAT", "xml"),
        ("CELERY_BROKER_BASE_URL", ""),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        read_settings(BackendSettings, GOOD | {name: value})


@pytest.mark.parametrize("name", ["BACKEND_PROT", "MAX_FILE_ATEMPTS", "DISPATCH_DEADLINE_SECOND"])
def test_a_misspelt_setting_is_refused_and_the_right_one_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in GOOD.items():
        monkeypatch.setenv(key, value)
    BackendSettings.read()
    monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigurationError, match=f"unknown setting {name}: did you mean"):
        BackendSettings.read()


def test_urls_are_normalised() -> None:
    assert (
        normalise_url("postgres://u:p@h/d") == normalise_url("postgresql://u:p@h/d") == "postgresql+psycopg://u:p@h/d"
    )
    with pytest.raises(ConfigurationError) as caught:
        normalise_url("mysql://u:s3cret@h/d")
    assert "s3cret" not in caught.value.message


def test_a_cipher_seals_and_tells_a_wrong_key() -> None:
    one, two = Cipher(Fernet.generate_key().decode()), Cipher(Fernet.generate_key().decode())
    sealed = one.seal({"password": "hunter2"})
    assert "hunter2" not in sealed and one.open(sealed) == {"password": "hunter2"}
    with pytest.raises(ConfigurationError, match="ENCRYPTION_KEY"):
        two.open(sealed)
    with pytest.raises(ConfigurationError, match="ENCRYPTION_KEY"):
        Cipher("not a key")
    assert one.digest({"a": 1, "b": 2}) == one.digest({"b": 2, "a": 1}) != two.digest({"a": 1, "b": 2})


def test_texts_fit_their_columns() -> None:
    assert clean("a\0b\ud800") == "a\ufffdb?"
    assert clean("x" * 10, 4) == "xxx…" and clean(None) is None


def test_the_migrations_make_the_tables_of_the_code(api: Any) -> None:
    with api.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_upgrading_again_changes_nothing(api: Any) -> None:
    upgrade(api.database.url)
    assert api.get("/api/v1/workflows") == {"workflows": []}


def test_sqlite_is_set_up_for_many_readers_and_one_writer(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new folder' / 'x.db'}")
    with database.reading() as connection:
        found = [connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert found == ["wal", 1, 1]
    database.close()
