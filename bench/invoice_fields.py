"""Fields of real invoices and receipts against their truth: a table of expected and actual values.

    python bench/invoice_fields.py [DATA_FOLDER]

DATA_FOLDER (default: ``DOCFLEET_TEST_DATA``, else ``../shared/data``) holds ``invoices``, ``receipts`` and ``truth``.
The text extractor and the field extractor run one after the other, in this process, as the runner would run them.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from docfleet.core.settings import environment
from docfleet.tools.builtin.field_extractor.amounts import parse_amount
from docfleet.tools.builtin.field_extractor.dates import parse_date
from docfleet.tools.builtin.field_extractor.locale import Locale
from docfleet.tools.builtin.field_extractor.tool import tool as field_extractor
from docfleet.tools.builtin.text_extractor.tool import tool as text_extractor
from docfleet.tools.sdk import run_tool

# A letterhead is often a picture, and the issuer stands nowhere else.
TEXT_SETTINGS = {"ocr": "pictures"}
INVOICE_FIELDS = ("invoice_number", "date", "amount", "currency", "issuer")


def run_both(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The fields extracted from one document; ``{"error": ...}`` when a tool failed."""
    lines = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(lines):
        folder = Path(name)
        for copy in ("INFILE", "SOURCE"):
            shutil.copyfile(path, folder / copy)
        (folder / "METADATA.json").write_text(json.dumps({"source_name": path.name, "tool_metadata": []}))
        if run_tool(text_extractor, TEXT_SETTINGS, folder) or run_tool(field_extractor, settings, folder):
            lines.seek(0)
            return {"error": lines.read()}
        fields: dict[str, Any] = json.loads((folder / "INFILE").read_text("utf-8"))
        return fields


def row(name: str, field: str, expected: object, actual: object) -> None:
    """Print one line of the table."""
    print(f"{name:24} {field:15} {expected!s:34.34} {actual!s:34.34} {'yes' if expected == actual else 'NO'}")


def invoices(data: Path) -> None:
    """Print the table of the invoices."""
    print(f"{'invoice':24} {'field':15} {'expected':34} {'actual':34} ok")
    matched = total = 0
    for path in sorted((data / "invoices").iterdir()):
        if path.suffix == ".png":
            continue
        truth = json.loads((data / "truth" / "invoices" / f"{path.stem}.json").read_text("utf-8"))[0]
        fields = run_both(path, {"preset": "invoice"})
        good = True
        for field in INVOICE_FIELDS:
            if field in truth:
                same = truth[field] == fields.get(field)
                good &= same
                row(path.stem, field, truth[field], fields.get(field))
        matched += good
        total += 1
    print(f"matched {matched} of {total}\n")


def receipts(data: Path) -> None:
    """Print the table of the receipts: date and total."""
    print(f"{'receipt':24} {'field':15} {'expected':34} {'actual':34} ok")
    counts = {"date": 0, "total": 0}
    names = sorted((data / "receipts").iterdir())
    for path in names:
        truth = json.loads((data / "truth" / "receipts" / f"{path.stem}.json").read_text("utf-8"))
        fields = run_both(path, {"preset": "receipt"})
        expected = {
            "date": parse_date(truth.get("date", ""), Locale(day_first=True)),
            "total": parse_amount(truth.get("total", "").replace("$", "").removeprefix("RM "), Locale()),
        }
        for field, value in expected.items():
            same = value == fields.get(field)
            counts[field] += same
            row(path.stem, field, value, fields.get(field))
    print(f"date {counts['date']} of {len(names)}, total {counts['total']} of {len(names)}")


def main() -> int:
    """Print both tables."""
    default = environment().get("DOCFLEET_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(default)
    if not data.is_dir():
        print(f"no documents at {data}: name their folder as the first argument", file=sys.stderr)
        return 2
    invoices(data)
    receipts(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
