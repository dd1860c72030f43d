"""Patterns of file names."""

from __future__ import annotations

import pytest

from docfleet.workers.shared.workflow.connectors.filters import GROUPS, name_filter


@pytest.mark.parametrize(
    ("patterns", "name", "wanted"),
    [
        ([], "a.xyz", True),
        (["*"], "a", True),
        (["PDF documents"], "A.PDF", True),
        (["PDF documents"], "a.docx", False),
        (["*.pdf", "text files"], "notes.TXT", True),
        ([".pdf"], "a.pdf", True),
        (["pdf"], "a.pdf", True),
        (["pdf"], "pdf", False),
        (["invoice-??.pdf"], "invoice-01.pdf", True),
        (["report.csv"], "report.csv", True),
        (["report.csv"], "other.csv", False),
    ],
)
def test_patterns(patterns: list[str], name: str, wanted: bool) -> None:
    assert name_filter(patterns)(name) is wanted


def test_the_original_offers_seventeen_groups() -> None:
    assert len(GROUPS) == 17
