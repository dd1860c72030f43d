"""The classifier: rules, bins, copies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from docfleet.tools.builtin.classifier.tool import tool as classifier
from tests.unit.tools.builtin.invoice import INVOICE

Run = Callable[..., Any]
BINS = [
    {"name": "long", "rules": [{"field": "pages", "min": 100}]},
    {
        "name": "big invoices",
        "match": "all",
        "rules": [{"field": "text", "contains": "INVOICE"}, {"field": "size", "min": 5}],
    },
    {"name": "invoices", "rules": [{"field": "text", "regex": "(?i)invoice"}]},
]


def test_the_first_bin_that_fits_takes_a_copy(run: Run, tmp_path: Path) -> None:
    found = run(classifier, INVOICE.encode(), {"bins": BINS})
    assert found["bin"] == "big invoices" and found["reasons"] == ["text contains 'INVOICE'", "size is at least 5"]
    assert (tmp_path / "COPY_TO_FOLDER" / "big invoices" / "d ö.txt").read_bytes() == b"the document"
    assert found["text_preview"].startswith("Harbour Light")


def test_what_fits_nowhere_goes_to_the_default_bin(run: Run, tmp_path: Path) -> None:
    found = run(classifier, b"a letter", {"bins": BINS, "default_bin": "../../out", "copy": True})
    assert found == {"bin": "../../out", "reasons": ["no rule matched"], "text_preview": "a letter"}
    assert [path.name for path in (tmp_path / "COPY_TO_FOLDER").iterdir()] == ["out"]
    assert not (tmp_path.parent.parent / "out").exists()


def test_the_first_step_reads_the_document_itself(run: Run) -> None:
    assert run(classifier, b"an INVOICE", {"bins": BINS[2:]}, earlier=0)["bin"] == "invoices"
    assert run(classifier, b"\x89PNG\r\n\x1a\n invoice", {"bins": BINS[2:]}, earlier=0)["bin"] == "unclassified"


@pytest.mark.parametrize(
    "rule",
    [
        {"field": "text", "regex": "("},
        {"field": "name", "min": 1},
        {"field": "colour", "contains": "x"},
        {"field": "text"},
    ],
)
def test_a_bin_that_makes_no_sense_is_refused(run: Run, rule: dict[str, Any]) -> None:
    error = run(classifier, b"x", {"bins": [{"name": "a", "rules": [rule]}]}, fails=True)
    assert error.error_code == "tool_settings_invalid"
