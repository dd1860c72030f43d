"""The lines of ``docfleet executions evidence``."""

from __future__ import annotations

from docfleet.cli.show.evidence import lines
from docfleet.core.evidence import Box, Check, DocumentEvidence, FieldEvidence, MatchKind
from docfleet.core.management.executions import FileEvidence


def shown(evidence: DocumentEvidence) -> list[str]:
    return list(lines(FileEvidence(execution_id="e", file_execution_id="f", name="a\x1b[2J.pdf", evidence=evidence)))


def test_each_value_has_a_line() -> None:
    fields = {
        "/total": FieldEvidence(
            match=MatchKind.NORMALISED, page=2, boxes=[Box(10, 20, 30, 40)], quote="12,50\x1b[2J", places=3,
            ocr_confidence=0.87, confidence=0.913,
        ),
        "/name": FieldEvidence(confidence=0.1),
        "/row": FieldEvidence(match=MatchKind.EXACT, page=1, place="B7", quote="x" * 100, places=1, confidence=0.97),
    }  # fmt: skip
    checks = [Check(check="iban", ok=False, detail="check digits")]
    heading, total, name, row, check, more = shown(DocumentEvidence(fields=fields, checks=checks, omitted=5))
    assert "3 values" in heading and "\x1b" not in heading + total
    assert total.split()[:5] == ["91.3%", "/total", "page", "2", "at"]
    assert "10,20" in total and "normalised" in total and "(3 places, OCR 87%)" in total
    assert "not found in the document" in name and "B7" in row and "..." in row and len(row) < 110
    assert check == "  check iban: failed  check digits" and "5 more" in more
