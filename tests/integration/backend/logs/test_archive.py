"""Archived logs are read as before."""

from __future__ import annotations

import gzip
import time
from typing import Any

import pytest
from sqlalchemy import select

from docfleet.backend.logs import archive
from docfleet.backend.tables.logs import log_channels
from tests.integration.backend.logs.lines import age, ended, event, headers, rows, send, storage, texts


def test_an_archived_log_is_read_as_before(api: Any, tmp_path: Any) -> None:
    run = ended(api, 25)
    history = lambda query="": api.get(f"/api/v1/executions/{run.id}/logs{query}")  # noqa: E731
    root = str(storage(api))
    before = [history(), history("?level=ERROR"), history("?after=7&limit=5")]
    assert archive.archive(api.database, root, 3600) == 0
    age(api, run, 4000)
    assert archive.archive(api.database, root, 3600) == 1
    assert rows(api, run) == 0 and archive.archive(api.database, root, 3600) == 0
    assert [history(), history("?level=ERROR"), history("?after=7&limit=5")] == before
    exported = api.client.get(f"/api/v1/executions/{run.id}/logs/export", headers=headers(api)).text
    assert len(exported.splitlines()) == 26
    # What comes late is dropped: the file is closed.
    assert send(api, event(api, run)) == {"dropped": 1}
    (path,) = (storage(api) / ".logs").rglob(f"{run.id}.jsonl.gz")
    assert len(gzip.decompress(path.read_bytes()).splitlines()) == 26
    assert archive.delete_old(root, 3600) == 0 and archive.delete_old(root, 0) == 0
    assert archive.delete_old(root, -1) == 0 and path.exists()
    time.sleep(0.02)
    assert archive.delete_old(root, 0.01) >= 1 and history() == {"logs": [], "next": None}


def test_a_line_that_comes_while_a_log_is_archived_is_not_lost(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ended(api, 3)
    age(api, run, 4000)

    def late(name: str, subject: str = "") -> None:
        if name == "archive.written":
            send(api, event(api, run, "late"))

    monkeypatch.setattr(archive, "point", late)
    assert archive.archive(api.database, str(storage(api)), 3600) == 0
    assert rows(api, run) == 5 and "late" in texts(api, run)
    monkeypatch.undo()
    assert archive.archive(api.database, str(storage(api)), 3600) == 1
    assert "late" in texts(api, run)


def test_a_deleted_execution_takes_its_log_along(api: Any) -> None:
    run = ended(api, 3)
    api.write("DELETE FROM executions WHERE id = :e", e=run.id)
    assert rows(api, run) == 0
    with api.database.reading() as connection:
        assert connection.execute(select(log_channels).where(log_channels.c.execution_id == run.id)).all() == []
