"""An evaluation: figures, their page, and what is calibrated."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from docfleet.cli.evaluation.calibrating import calibrated
from docfleet.cli.evaluation.labels import Labels
from docfleet.cli.evaluation.page import MOST_DOCUMENTS, page
from docfleet.cli.evaluation.report import DocumentAnswer, Evaluation, evaluation
from docfleet.core.errors import InvalidInput
from docfleet.core.evidence import DocumentEvidence, FieldEvidence, MatchKind


def labelled(folder: Path, **labels: object) -> Labels:
    for name, label in labels.items():
        (folder / f"{name}.json").write_text(json.dumps(label))
    return Labels(folder)


def scored(answers: list[DocumentAnswer], labels: Labels) -> Evaluation:
    return evaluation("w", answers, labels, evaluated_at="2026-01-02T03:04:05+00:00", version="1")


def test_the_worst_document_is_first_and_nothing_is_left_out(tmp_path: Path) -> None:
    labels = labelled(tmp_path, good={"n": 1, "d": "x"}, bad={"n": 2}, broken={"n": 3}, absent={"n": 4})
    evidence = DocumentEvidence(fields={"/n": FieldEvidence(match=MatchKind.EXACT), "/d": FieldEvidence()})
    result = scored(
        [
            DocumentAnswer(document="good.pdf", result={"n": 1, "d": "x"}, evidence=evidence, cpu_seconds=0.2),
            DocumentAnswer(document="bad.pdf", result={"n": 9, "d": "y"}, cpu_seconds=0.4),
            DocumentAnswer(document="broken.pdf", error="it is cut off"),
            DocumentAnswer(document="new.pdf", result={"n": 5}),
        ],
        labels,
    )
    assert [document.document for document in result.documents] == ["bad.pdf", "broken.pdf", "good.pdf"]
    assert (result.unlabelled, result.not_read) == (["new.pdf"], ["absent"])
    total = result.total
    assert (total.precision, total.recall, total.f1) == (0.5, 0.5, 0.5)
    assert (total.documents, total.failed, total.grounded, total.cpu_seconds) == (3, 1, 0.5, 0.2)
    assert list(result.fields) == ["n", "d"] and result.fields["d"].recall == 1.0
    assert msgspec.json.decode(msgspec.json.encode(result), type=Evaluation) == result


def test_a_field_that_was_never_answered_has_no_precision(tmp_path: Path) -> None:
    result = scored([DocumentAnswer(document="a.pdf", result={})], labelled(tmp_path, a={"n": 1}))
    assert result.fields["n"].precision is None and result.fields["n"].f1 == 0.0


def test_documents_without_any_label_are_no_evaluation(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no document has a label"):
        scored([DocumentAnswer(document="x.pdf", result={})], labelled(tmp_path, a={"n": 1}))


def test_the_page_shows_what_is_wrong_and_what_changed_and_escapes_it(tmp_path: Path) -> None:
    labels = labelled(tmp_path, **{f"d{number}": {"n": 1} for number in range(MOST_DOCUMENTS + 2)})
    names = [f"d{number}.pdf" for number in range(MOST_DOCUMENTS + 2)]
    now = scored([DocumentAnswer(document=name, result={"n": "<script>"}) for name in names], labels)
    before = scored([DocumentAnswer(document=name, result={"n": 1}) for name in names], labels)
    shown = page(now, before)
    assert "&lt;script&gt;" in shown and "<script" not in shown
    assert "(-100.0)" in shown and "and 2 documents" in shown
    assert "http" not in shown, "it needs nothing from elsewhere"
    assert page(before)


def answered(right: int, wrong: int) -> list[DocumentAnswer]:
    def one(number: int, value: int, match: MatchKind) -> DocumentAnswer:
        evidence = DocumentEvidence(fields={"/n": FieldEvidence(match=match, quote="12345", places=1)})
        return DocumentAnswer(document=f"d{number}.pdf", result={"n": value}, evidence=evidence)

    return [one(number, 1, MatchKind.EXACT) for number in range(right)] + [
        one(right + number, 2, MatchKind.FUZZY) for number in range(wrong)
    ]


def test_confidence_is_fitted_to_labels(tmp_path: Path) -> None:
    labels = labelled(tmp_path, **{f"d{number}": {"n": 1} for number in range(40)})
    fitted = calibrated("w", answered(30, 10), labels)
    assert fitted.samples == 40 and fitted.source == "w" and fitted.weights["fuzzy"] < -1
    with pytest.raises(InvalidInput, match="no labelled value has evidence"):
        calibrated("w", [DocumentAnswer(document="d1.pdf", result={"n": 1})], labels)
