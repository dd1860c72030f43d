"""How right results are on real documents with known truth, by ``docfleet evaluate``.

    python -m bench.quality [--data FOLDER] [--write]

FOLDER (default: ``DOCFLEET_TEST_DATA``, else ``../shared/data``) holds ``invoices``, ``receipts``, ``e-invoices``,
``docubench`` and ``truth``. ``--write`` keeps the table in docs/reference/quality.md. The goals were set on other data
of the same kinds: rules that are tuned to these documents would not meet them.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from dateutil import parser as dates
from rich.console import Console

from bench import grounding
from docfleet.cli.evaluation.labels import Labels
from docfleet.cli.evaluation.report import DocumentAnswer, Evaluation, evaluation
from docfleet.cli.evaluation.running import answers
from docfleet.core.errors import DocfleetError
from docfleet.core.settings import environment
from docfleet.tools.builtin.field_extractor.einvoice import reader as einvoice

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "quality.md"
INVOICE_FIELDS = ("invoice_number", "date", "amount", "currency")
_TEXT: dict[str, Any] = {"tool": "text_extractor", "settings": {"ocr": "pictures"}}


class Measurement(NamedTuple):
    """One line of the table. ``goal`` is the share to reach; None where there is none."""

    what: str
    documents: int
    share: float
    goal: float | None = None
    cpu_seconds: float | None = None


def measured(data: Path) -> Iterator[Measurement]:
    """The lines of the table, one after the other."""
    with tempfile.TemporaryDirectory(prefix="docfleet-quality-") as name:
        folder = Path(name)
        yield from _invoices(data, folder / "invoices")
        yield from _receipts(data, folder / "receipts")
        yield from _e_invoices(data, folder / "e-invoices")
        yield from _grounded(data)


def _invoices(data: Path, folder: Path) -> Iterator[Measurement]:
    truth = {path.stem: json.loads(path.read_text("utf-8"))[0] for path in (data / "truth" / "invoices").glob("*.json")}
    labels = {name: {field: label.get(field) for field in INVOICE_FIELDS} for name, label in truth.items()}
    result = _evaluated(folder, data / "invoices", [_TEXT, _fields("invoice")], labels)
    yield _all_right("invoices of suppliers: number, date, amount and currency all right", result)


def _receipts(data: Path, folder: Path) -> Iterator[Measurement]:
    labels = {}
    for path in (data / "truth" / "receipts").glob("*.json"):
        label = json.loads(path.read_text("utf-8"))
        total = label.pop("total", "").replace("$", "").removeprefix("RM").strip().replace(",", "")
        label["date"] = dates.parse(label["date"], dayfirst=True).date().isoformat() if label.get("date") else None
        labels[path.stem] = {**label, "total": float(total) if total else None}
    result = _evaluated(folder, data / "receipts", [_TEXT, _fields("receipt")], labels)
    for field, goal in {"company": 0.70, "date": 0.93, "address": 0.45, "total": 0.88}.items():
        yield Measurement(f"receipts, F1 of {field}", result.total.documents, result.fields[field].f1, goal)
    yield Measurement(
        "receipts, F1 of all four", result.total.documents, result.total.f1, None, result.total.cpu_seconds
    )


def _e_invoices(data: Path, folder: Path) -> Iterator[Measurement]:
    pdfs, texts, labels = folder / "pdfs", folder / "texts", {}
    for made in (pdfs, texts):
        made.mkdir(parents=True)
    for path in sorted((data / "e-invoices").glob("*.pdf")):
        try:
            invoice = einvoice.read(path, path.name, "", is_pdf=True, by_ocr=True)
        except DocfleetError:
            continue
        if invoice is not None and invoice.fields is not None:
            labels[path.stem] = {field: invoice.fields.get(field) for field in INVOICE_FIELDS}
            shutil.copy(path, pdfs)
    read = _answers(folder / "reading", pdfs, [{"tool": "text_extractor", "settings": {"output": "json"}}])
    for answer in read:
        (texts / f"{Path(answer.document).stem}.txt").write_text((answer.result or {}).get("text", ""), "utf-8")
    alone = _evaluated(folder / "alone", texts, [_fields("invoice")], labels)
    yield _all_right("e-invoices by their text alone: the same four all right", alone, 100 / 146)
    both = _evaluated(folder / "both", pdfs, [_TEXT, _fields("invoice")], labels)
    yield _all_right("e-invoices with the XML inside", both, 1.0)


def _grounded(data: Path) -> Iterator[Measurement]:
    totals: grounding.Totals = Counter()
    documents = sorted((data / "docubench" / "documents").glob("*.pdf"))
    for path in documents:
        grounding.measure(path, data / "docubench" / "labels" / f"{path.stem}.json", totals, missing=False)
    grounded, right = totals["grounded"] / totals["leaves"], totals["right"] / max(totals["paged"], 1)
    yield Measurement("labels of documents in 11 languages that are grounded", len(documents), grounded, 0.88)
    yield Measurement("of those, on the right page", len(documents), right, 0.98)


def _fields(preset: str) -> dict[str, Any]:
    return {"tool": "field_extractor", "settings": {"preset": preset}}


def _answers(folder: Path, source: Path, tools: list[dict[str, Any]]) -> list[DocumentAnswer]:
    folder.mkdir(parents=True, exist_ok=True)
    workflow = folder / "workflow.yaml"
    document = {
        "workflow": {"name": f"quality-{folder.name}"},
        "source": {"connector": "local", "settings": {"path": str(source)}, "processSubDirectories": True},
        "tools": tools,
        "destination": {"connector": "sqlite", "settings": {"path": str(folder / "unused.db")}, "table": "unused"},
    }
    workflow.write_text(yaml.safe_dump(document))
    return answers(workflow, None, folder / "data", None, Console(stderr=True))


def _evaluated(
    folder: Path, source: Path, tools: list[dict[str, Any]], labels: dict[str, dict[str, Any]]
) -> Evaluation:
    written = folder / "labels"
    written.mkdir(parents=True, exist_ok=True)
    for name, label in labels.items():
        (written / f"{name}.json").write_text(json.dumps(label))
    found = _answers(folder, source, tools)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return evaluation(folder.name, found, Labels(written), evaluated_at=now, version=version("docfleet"))


def _all_right(what: str, result: Evaluation, goal: float | None = None) -> Measurement:
    right = sum(document.f1 == 1 for document in result.documents)
    return Measurement(what, result.total.documents, right / result.total.documents, goal, result.total.cpu_seconds)


def table(lines: list[Measurement]) -> str:
    """The lines in Markdown."""
    rows = ["| measured | documents | share | goal | CPU s a document |", "| --- | ---: | ---: | ---: | ---: |"]
    for line in lines:
        goal = "" if line.goal is None else f"{line.goal:.2f}"
        seconds = "" if line.cpu_seconds is None else f"{line.cpu_seconds:.2f}"
        rows.append(f"| {line.what} | {line.documents} | {line.share:.3f} | {goal} | {seconds} |")
    return "\n".join(rows)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description="How right results are.")
    default = environment().get("DOCFLEET_TEST_DATA") or ROOT.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(default), help="the folder of documents with truth")
    parser.add_argument("--write", action="store_true", help=f"keep the table in {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    if not (options.data / "truth").is_dir():
        print(f"no documents with truth at {options.data}: name their folder with --data", file=sys.stderr)
        return 2
    shown = table(list(measured(options.data)))
    print(shown)
    if options.write:
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        PAGE.write_text(
            "# Quality\n\nHow right results are on real documents with known truth, which are not part of this\n"
            "repository. `python -m bench.quality --write` measures them and writes this page. The goals were set\n"
            f"on other documents of the same kinds.\n\nDocfleet {version('docfleet')}, {today}.\n\n{shown}\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
