"""Evidence, end to end: words of one tool, fields of the next, the destination, the command line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.acceptance.fleet import DOCFLEET, TABLE, Fleet


def invoice(path: Path) -> None:
    page = Canvas(str(path), pagesize=(595, 842))
    page.drawString(60, 760, "Terms and conditions")
    page.showPage()
    for height, line in (
        (760, "Invoice No: INV-4711"),
        (740, "Invoice date: 12.03.2018"),
        (700, "Total: 1.234,50 EUR"),
    ):
        page.drawString(60, height, line)
    page.save()


@pytest.mark.slow
def test_a_field_is_shown_where_it_stands(fleet: Fleet, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    invoice(source / "a b.pdf")
    destination = {
        "connector": "sqlite",
        "settings": {"path": str(tmp_path / "in.db")},
        "table": TABLE,
        "evidenceColumn": "evidence",
    }
    run = fleet.run(source, "text_extractor", "field_extractor", destination=destination)
    assert run.statuses == {"a b.pdf": "COMPLETED"}, run.files
    run.assert_cleaned()
    (row,) = run.rows()
    fields = json.loads(row["evidence"])["fields"]
    assert (fields["/invoice_number"]["page"], fields["/invoice_number"]["quote"]) == (2, "INV-4711")
    ((left, top, right, bottom),) = fields["/invoice_number"]["boxes"]
    assert 100 < left < right < 200 and 842 - 775 < top < bottom < 842 - 755
    assert fields["/date"]["match"] == "normalised" and fields["/date"]["page"] == 2
    assert "evidence" not in json.loads(row["data"])
    command = [*DOCFLEET, "executions", "evidence", run.id, "a b.pdf"]
    server = ["--url", fleet.addresses.backend_url, "--key", fleet.addresses.key]
    shown = subprocess.run([*command, *server], capture_output=True, text=True, check=True).stdout
    assert "/invoice_number" in shown and "page 2" in shown and "'INV-4711'" in shown
    printed = subprocess.run([*command, *server, "--json"], capture_output=True, text=True, check=True).stdout
    assert json.loads(printed)["evidence"]["fields"] == fields
