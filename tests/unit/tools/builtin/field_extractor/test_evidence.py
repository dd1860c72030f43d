"""The evidence that field_extractor leaves beside its result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from docfleet.core.evidence import DocumentEvidence, MatchKind, read_evidence
from docfleet.tools.builtin.field_extractor.tool import tool
from docfleet.tools.sdk import words
from docfleet.tools.sdk.words import Page, Word

TEXT = b"Invoice No: INV-7\nInvoice date: 12 March 2018\nSubtotal: 10.00\nTotal: 12.50 EUR\n"


def evidence(folder: Path) -> DocumentEvidence:
    return read_evidence((folder / "EVIDENCE.json").read_bytes())


def test_each_field_has_its_line(run: Any, tmp_path: Path) -> None:
    result = run(tool, TEXT, {})
    found = evidence(tmp_path).fields
    assert set(found) == {f"/{name}" for name in result if name not in ("matched", "template", "checks", "kind")}
    assert (found["/invoice_number"].place, found["/invoice_number"].match) == ("line 1", MatchKind.EXACT)
    assert (found["/date"].place, found["/date"].match) == ("line 2", MatchKind.NORMALISED)
    assert found["/amount"].place == "line 4" and found["/amount"].boxes == []
    assert all(0 < field.confidence < 1 for field in found.values())


def test_words_of_an_earlier_tool_are_used(run: Any, tmp_path: Path) -> None:
    page = Page("", [Word("INV-7", 300, 40, 340, 52, 0.8), Word("12.50", 10, 700, 50, 712, 0.9)], 595, 842, by_ocr=True)
    (tmp_path / "WORDS").write_bytes(words.pack([Page(""), page]))
    run(tool, TEXT, {})
    found = evidence(tmp_path)
    number = found.fields["/invoice_number"]
    assert (number.page, number.ocr_confidence) == (2, 0.8) and number.boxes[0].left == pytest.approx(300, abs=0.1)
    assert found.fields["/date"].match is MatchKind.NONE, "the words do not have it"
    assert [(shape.number, shape.width) for shape in found.pages] == [(2, 595)]


def test_the_second_page_of_a_text_is_page_two(run: Any, tmp_path: Path) -> None:
    run(tool, b"Terms\n\f" + TEXT, {})
    assert evidence(tmp_path).fields["/invoice_number"].page == 2


def test_evidence_is_a_setting(run: Any, tmp_path: Path) -> None:
    run(tool, TEXT, {"evidence": False})
    assert not (tmp_path / "EVIDENCE.json").exists()


def test_the_calibration_of_the_workflow_is_used(run: Any, tmp_path: Path) -> None:
    run(tool, TEXT, {"calibration": {"intercept": 0.0, "weights": {}}})
    assert {field.confidence for field in evidence(tmp_path).fields.values()} == {0.5}
    error = run(tool, TEXT, {"calibration": {"intercept": "high", "weights": {}}}, fails=True)
    assert error.error_code == "tool_settings_invalid" and "calibration" in error.log
