"""URLs of databases, texts that fit, and how SQLite is set up."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from docfleet.backend.platform.db import Database, clean, normalise_url
from docfleet.core.errors import ConfigurationError


def test_urls_are_normalised() -> None:
    assert (
        normalise_url("postgres://u:p@h/d") == normalise_url("postgresql://u:p@h/d") == "postgresql+psycopg://u:p@h/d"
    )
    with pytest.raises(ConfigurationError) as caught:
        normalise_url("mysql://u:s3cret@h/d")
    assert "s3cret" not in caught.value.message


def test_texts_fit_their_columns() -> None:
    assert clean("a\0b\ud800") == "a\ufffdb?"
    assert clean("x" * 10, 4) == "xxx…" and clean(None) is None


def test_sqlite_is_set_up_for_many_readers_and_one_writer(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new folder' / 'x.db'}")
    with database.reading() as connection:
        found = [connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert found == ["wal", 1, 1]
    database.close()
