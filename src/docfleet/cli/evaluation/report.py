"""The outcome of an evaluation: by document, by field and as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from docfleet.cli.evaluation.labels import Labels
from docfleet.cli.evaluation.scoring import Comparison, Mismatch, Score, compare
from docfleet.core.errors import InvalidInput
from docfleet.core.evidence import DocumentEvidence, MatchKind


class DocumentAnswer(msgspec.Struct, kw_only=True):
    """What a workflow made of a document: a result, or the error. ``cpu_seconds`` are those of its tools."""

    document: str
    result: dict[str, Any] | None = None
    error: str = ""
    evidence: DocumentEvidence | None = None
    cpu_seconds: float = 0.0
    pages: int = 0


class Figures(msgspec.Struct, kw_only=True):
    """Shares from 0 to 1; ``precision`` is None where nothing was answered.

    ``grounded`` is the share of the answered leaves with evidence that stand in their document; None where the
    workflow gives no evidence. ``cpu_seconds`` is the mean of a document.
    """

    precision: float | None
    recall: float
    f1: float
    labelled: int = 0
    answered: int = 0
    documents: int = 1
    failed: int = 0
    grounded: float | None = None
    cpu_seconds: float = 0.0


class DocumentReport(msgspec.Struct, kw_only=True):
    """One document: its counts and what is wrong in it."""

    document: str
    score: Score
    f1: float
    error: str = ""
    mismatches: list[Mismatch] = []
    grounded: int = 0
    with_evidence: int = 0
    cpu_seconds: float = 0.0
    pages: int = 0


class Evaluation(msgspec.Struct, kw_only=True):
    """A workflow against labels: ``fields`` with most labelled leaves first, the worst ``documents`` first.

    Its JSON can be compared with later.
    """

    version: int = 1
    workflow: str
    evaluated_at: str
    docfleet: str
    total: Figures
    fields: dict[str, Figures]
    documents: list[DocumentReport]
    unlabelled: list[str] = []
    """Documents without a label."""
    not_read: list[str] = []
    """Labels whose document was not in the source."""


def evaluation(
    workflow: str, answers: Iterable[DocumentAnswer], labels: Labels, *, evaluated_at: str, version: str
) -> Evaluation:
    """Score the answers. Raises ``InvalidInput`` when no document has a label."""
    fields = labels.fields
    unlabelled: list[str] = []
    used: set[str] = set()
    by_field: dict[str, Score] = dict.fromkeys(fields, Score())
    documents: list[DocumentReport] = []
    for answer in answers:
        found = labels.find(answer.document)
        if found is None:
            unlabelled.append(answer.document)
            continue
        path, label = found
        used.add(path)
        comparison = compare(label, answer.result or {}, fields)
        for name, score in comparison.fields.items():
            by_field[name] += score
        documents.append(_document(answer, comparison))
    if not documents:
        raise InvalidInput(
            f"no document has a label: {len(unlabelled)} documents were read, the labels are for "
            f"{', '.join(labels.paths[:3])}: the label of x.pdf is x.json or x.pdf.json"
        )
    documents.sort(key=lambda document: (document.f1, -len(document.mismatches), document.document))
    return Evaluation(
        workflow=workflow,
        evaluated_at=evaluated_at,
        docfleet=version,
        total=_total(documents),
        fields={
            name: _figures(score, len(documents))
            for name, score in sorted(by_field.items(), key=lambda item: -item[1].labelled)
        },
        documents=documents,
        unlabelled=sorted(unlabelled),
        not_read=sorted(set(labels.paths) - used),
    )


def _document(answer: DocumentAnswer, comparison: Comparison) -> DocumentReport:
    evidence = list(answer.evidence.fields.values()) if answer.evidence is not None else []
    score = comparison.score
    return DocumentReport(
        document=answer.document,
        score=score,
        f1=round(score.f1, 4),
        error=answer.error,
        mismatches=comparison.mismatches,
        grounded=sum(field.match is not MatchKind.NONE for field in evidence),
        with_evidence=len(evidence),
        cpu_seconds=round(answer.cpu_seconds, 4),
        pages=answer.pages,
    )


def _total(documents: list[DocumentReport]) -> Figures:
    figures = _figures(sum((document.score for document in documents), Score()), len(documents))
    with_evidence = sum(document.with_evidence for document in documents)
    figures.failed = sum(bool(document.error) for document in documents)
    if with_evidence:
        figures.grounded = round(sum(document.grounded for document in documents) / with_evidence, 4)
    figures.cpu_seconds = round(sum(document.cpu_seconds for document in documents) / len(documents), 4)
    return figures


def _figures(score: Score, documents: int) -> Figures:
    return Figures(
        precision=round(score.precision, 4) if score.answered else None,
        recall=round(score.recall, 4),
        f1=round(score.f1, 4),
        labelled=score.labelled,
        answered=score.answered,
        documents=documents,
    )
