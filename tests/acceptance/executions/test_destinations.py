"""Destinations that refuse or do not answer, reviews that nobody can do, and secrets that stay in the backend."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from docfleet.core.errors import ReviewUnavailable
from tests.acceptance.fleet import TABLE, Fleet, fill
from tests.servers import free_port


@pytest.mark.parametrize("review", [{"review_percentage": 10}, {"review_required": True}])
def test_review_is_refused_when_the_run_is_requested(fleet: Fleet, tmp_path: Path, review: dict[str, Any]) -> None:
    source = fill(tmp_path / "in", {"a.txt": "document"})
    with pytest.raises(ReviewUnavailable, match="no review queue is configured"):
        fleet.begin(source, workflow={"manual_review": review})


def test_a_destination_that_does_not_answer_is_the_error_of_each_file(fleet: Fleet, tmp_path: Path) -> None:
    source = fill(tmp_path / "in", {"a.txt": "document", "b.txt": "document"})
    port = free_port()
    url = f"postgresql://nobody:hidden-word@127.0.0.1:{port}/nothing"
    into = {"connector": "postgresql", "settings": {"connection_url": url}, "table": TABLE}
    run = fleet.begin(source, destination=into).wait()
    assert run.status == "ERROR"
    assert {file.status for file in run.files} == {"ERROR"}
    assert {file.error_code for file in run.files} == {"destination_unavailable"}
    assert all(str(port) in str(file.error) for file in run.files), [file.error for file in run.files]
    said = run.page() + str(run.json()) + "".join(fleet.log(name) for name in ("file_processing", "general", "backend"))
    assert "hidden-word" not in said


def test_a_table_that_does_not_fit_is_the_error_of_each_file(fleet: Fleet, tmp_path: Path) -> None:
    source = fill(tmp_path / "in", {"a.txt": "document", "b.txt": "document"})
    with closing(sqlite3.connect(tmp_path / "in.db")) as database:
        database.execute(f"CREATE TABLE {TABLE} (mine INTEGER NOT NULL)")
        database.commit()
    run = fleet.run(source)
    assert run.status == "ERROR"
    assert {file.error_code for file in run.files} == {"destination_rejected"}
    assert all(TABLE in str(file.error) for file in run.files), [file.error for file in run.files]


def test_a_folder_that_cannot_be_written_is_the_error_of_each_file(fleet: Fleet, tmp_path: Path) -> None:
    source = fill(tmp_path / "in", {"a.txt": "document"})
    (tmp_path / "out").write_text("a file in its place")
    run = fleet.run(source, destination={"connector": "local", "settings": {"path": str(tmp_path / "out")}})
    assert run.status == "ERROR"
    assert [file.error_code for file in run.files] == ["destination_rejected"]
    assert str(tmp_path / "out") in str(run.files[0].error)


def test_secrets_stay_in_the_backend(fleet: Fleet, tmp_path: Path, postgres_url: str) -> None:
    password = postgres_url.partition("@")[0].rpartition(":")[2]
    source = fill(tmp_path / "in", {"a.txt": "document"})
    into = {"connector": "postgresql", "settings": {"connection_url": postgres_url}, "table": "acceptance_secrets"}
    run = fleet.run(source, destination=into)
    assert run.json()["successful_files"] == 1, run.files
    kept = [path for path in fleet.data.rglob("*") if path.is_file() and password.encode() in path.read_bytes()]
    assert kept == []
    assert password not in str(run.json()) + run.page()
