"""The evidence for the result of a file, for people."""

from __future__ import annotations

from collections.abc import Iterator

from docfleet.cli.show.summary import plain
from docfleet.core.evidence import FieldEvidence, MatchKind
from docfleet.core.management.executions import FileEvidence

_QUOTE = 60


def lines(found: FileEvidence) -> Iterator[str]:
    """One line for each value, then those of the checks."""
    evidence = found.evidence
    yield f"{plain(found.name)}: {len(evidence.fields)} values"
    for pointer, field in evidence.fields.items():
        yield f"  {field.confidence:>5.1%}  {plain(pointer)}  {_place(field)}"
    for check in evidence.checks:
        verdict = "ok" if check.ok else "failed"
        yield f"  check {plain(check.check)}: {verdict}{plain('  ' + check.detail if check.detail else '')}"
    if evidence.omitted:
        yield f"  and {evidence.omitted} more values, for which none is kept"


def _place(field: FieldEvidence) -> str:
    if field.match is MatchKind.NONE:
        return "not found in the document"
    where = f"page {field.page}"
    if field.boxes:
        box = field.boxes[0]
        where += f" at {box.left:.0f},{box.top:.0f}"
    if field.place:
        where += f" {plain(field.place)}"
    quote = plain(field.quote)
    shown = quote if len(quote) <= _QUOTE else quote[: _QUOTE - 3] + "..."
    more = [f"{field.places} places"] if field.places > 1 else []
    more += [f"OCR {field.ocr_confidence:.0%}"] if field.ocr_confidence is not None else []
    return f"{where}  {field.match.value}  {shown!r}" + (f"  ({', '.join(more)})" if more else "")
