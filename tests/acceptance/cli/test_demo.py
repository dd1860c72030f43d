"""`make demo`, the first command of the README: the main job on the examples of this checkout."""

from __future__ import annotations

import json
import runpy
import sqlite3
import subprocess
from pathlib import Path

from docfleet.cli.commands.demo import EXAMPLES
from tests.acceptance.cli.test_run import DOCFLEET, SECONDS
from tests.repository import REPOSITORY


def test_every_sample_becomes_a_row_with_the_values_that_it_was_made_with(tmp_path: Path) -> None:
    assert EXAMPLES == REPOSITORY / "examples"
    done = subprocess.run(
        [*DOCFLEET, "demo", "--json", "--data", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["status"], summary["total_files"], summary["successful_files"]) == ("COMPLETED", 10, 10)

    truth = runpy.run_path(str(EXAMPLES / "make_samples.py"))["make_samples"](tmp_path / "samples")
    fields = ("issuer", "invoice_number", "date", "amount", "currency")
    with sqlite3.connect(EXAMPLES / "out" / "invoices.db") as database:
        statement = f"SELECT file_path, {', '.join(fields)} FROM invoices WHERE execution_id = ?"
        rows = database.execute(statement, [summary["execution_id"]]).fetchall()
    assert {path: values for path, *values in rows} == {
        name: [expected[field] for field in fields] for name, expected in truth.items()
    }
