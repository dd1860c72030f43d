"""Fits the confidence of fields to labels."""

from __future__ import annotations

from collections.abc import Iterable

from docfleet.cli.evaluation.labels import Labels
from docfleet.cli.evaluation.report import DocumentAnswer
from docfleet.cli.evaluation.scoring import compare
from docfleet.core.errors import InvalidInput
from docfleet.tools.sdk.grounding.confidence import Calibration, Sample, calibrate


def calibrated(workflow: str, answers: Iterable[DocumentAnswer], labels: Labels) -> Calibration:
    """The calibration for this workflow. Raises ``InvalidInput`` when there are too few labelled values with
    evidence."""
    samples: list[Sample] = []
    for answer in answers:
        found = labels.find(answer.document)
        if found is None or answer.result is None or answer.evidence is None:
            continue
        comparison = compare(found[1], answer.result, labels.fields)
        right = set(comparison.right)
        answered = right | {mismatch.pointer for mismatch in comparison.mismatches if mismatch.found is not None}
        samples += [
            Sample(evidence, pointer in right, answer.document)
            for pointer, evidence in answer.evidence.fields.items()
            if pointer in answered
        ]
    if not samples:
        raise InvalidInput(
            "no labelled value has evidence, so there is nothing to calibrate: set evidence: true in field_extractor"
        )
    return calibrate(samples, source=workflow)
