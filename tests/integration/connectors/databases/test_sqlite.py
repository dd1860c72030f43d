"""The SQLite connector."""

from __future__ import annotations

from pathlib import Path

import pytest

from docfleet.connectors.base import TableSettings
from docfleet.connectors.databases.sqlite import SqliteDatabase
from docfleet.core.errors import DestinationRejected, DestinationUnavailable
from tests.contract.connectors.databases.servers import row

SINGLE = TableSettings()


def test_sqlite_says_which_file_is_the_trouble(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DestinationUnavailable, match="folder"):
        SqliteDatabase({"path": str(tmp_path / "folder")}).check()
    (tmp_path / "text").write_text("this is not a database, but long enough to be looked at" * 40)
    broken = SqliteDatabase({"path": str(tmp_path / "text")})
    with pytest.raises(DestinationRejected, match="not a database"):
        broken.deliver(SINGLE, row({}))
    with pytest.raises(DestinationRejected, match="is not a folder"):
        SqliteDatabase({"path": str(tmp_path / "text" / "rows.db")}).check()


def test_sqlite_writes_ahead_and_syncs(tmp_path: Path) -> None:
    database = SqliteDatabase({"path": str(tmp_path / "rows.db")})
    modes = database._run(lambda c: [c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS])
    database.close()
    assert modes == ["wal", 2, 30_000]


PRAGMAS = ("journal_mode", "synchronous", "busy_timeout")
