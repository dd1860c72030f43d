"""The real documents, each folder as one execution of ``docfleet run --json``."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from tests.acceptance.fleet import DOCFLEET, plain_environment
from tests.repository import DATA

pytestmark = [
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no real documents at {DATA} (DOCFLEET_TEST_DATA)"),
    pytest.mark.timeout(600),
    pytest.mark.slow,
]
SECONDS = 500
TEXT = [{"tool": "text_extractor"}]
FIELDS = [*TEXT, {"tool": "field_extractor", "settings": {"preset": "invoice"}}]
LOCKED = {
    "libreoffice-writer-password.pdf": "password required",
    "password_protected.xlsx": "password required",
    "fake-encrypted.eml": "encrypted",
}
"""The documents of all folders that nobody could read, and what the cause has to say."""
Rows = dict[str, dict[str, Any]]
Execute = Callable[..., tuple[int, dict[str, Any], Rows]]


@pytest.fixture(scope="module")
def execute(tmp_path_factory: pytest.TempPathFactory) -> Execute:
    """Runs the command on a folder; its exit code, its JSON, and the rows by file path. One data folder for all."""
    folder = tmp_path_factory.mktemp("documents")

    def run(name: str, tools: list[dict[str, Any]], **destination: Any) -> tuple[int, dict[str, Any], Rows]:
        workflow = {
            "workflow": {"name": name},
            "source": {"connector": "local", "settings": {"path": str(DATA / name)}},
            "tools": tools,
            "destination": {
                "connector": "sqlite",
                "settings": {"path": str(folder / f"{name}.db")},
                "table": "documents",
                **destination,
            },
        }
        (folder / f"{name}.yaml").write_text(json.dumps(workflow))
        done = subprocess.run(
            [*DOCFLEET, "run", str(folder / f"{name}.yaml"), "--json", "--data", str(folder / "data")],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=plain_environment(),
            check=False,
        )
        assert done.stdout, done.stderr
        with closing(sqlite3.connect(folder / f"{name}.db")) as database:
            database.row_factory = sqlite3.Row
            rows = {row["file_path"]: dict(row) for row in database.execute("SELECT * FROM documents")}
        return done.returncode, json.loads(done.stdout), rows

    return run


@pytest.fixture(scope="module")
def invoices(execute: Execute) -> Any:
    """The first run of the invoices."""
    return execute("invoices", FIELDS, columnMode="SPLIT_JSON_INTO_COLUMNS")


@pytest.mark.parametrize("name", ["mixed", "office", "receipts"])
def test_every_readable_document_gives_its_text(execute: Execute, name: str) -> None:
    code, found, rows = execute(name, TEXT)
    assert_causes_are_known(name, code, found, rows)
    for path, row in rows.items():
        if path not in LOCKED:
            text = str(json.loads(row["data"])["result"])
            assert len(text.split()) > 2, f"{path}: {text!r}"


def test_every_invoice_gives_a_row_of_fields(invoices: tuple[int, dict[str, Any], Rows]) -> None:
    assert_causes_are_known("invoices", *invoices)
    rows = invoices[2].values()
    # Not how many fields are right, which the benchmark prints: that the two tools worked together at all.
    assert sum(bool(row["amount"]) for row in rows) > len(rows) / 2


def test_the_same_folder_again_is_skipped_as_a_whole(
    execute: Execute, invoices: tuple[int, dict[str, Any], Rows]
) -> None:
    code, found, rows = execute("invoices", FIELDS, columnMode="SPLIT_JSON_INTO_COLUMNS")
    assert (code, found["status"], found["empty_reason"], found["files"]) == (0, "COMPLETED", "all_filtered", [])
    assert found["skipped_files"] == len(invoices[2]) == 16
    assert rows == invoices[2]


def assert_causes_are_known(name: str, code: int, found: dict[str, Any], rows: Rows) -> None:
    """Every document of the folder ended, the locked ones with their cause, and the destination says the same."""
    documents = {path.name for path in (DATA / name).iterdir()}
    errors = {file["name"]: file["error"] for file in found["files"] if file["status"] != "COMPLETED"}
    assert {file["name"] for file in found["files"]} == set(rows) == documents
    assert set(errors) == documents & set(LOCKED), errors
    for path, error in errors.items():
        assert LOCKED[path] in error
        assert "send it" in error, "the cause names no remedy"
        assert (rows[path]["status"], rows[path]["error_message"]) == ("ERROR", error)
    assert found["status"] == "COMPLETED"
    assert code == (3 if errors else 0)
    assert (found["total_files"], found["failed_files"]) == (len(documents), len(errors))
