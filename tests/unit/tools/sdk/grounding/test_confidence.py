"""Confidence: of the fields that say 0.9, nine in ten are right."""

from __future__ import annotations

import random

import msgspec
import pytest

from docfleet.core.errors import InvalidInput
from docfleet.core.evidence import Check, FieldEvidence, MatchKind
from docfleet.tools.sdk.grounding import Calibration, Sample, WordIndex, calibrate, confidence, report
from docfleet.tools.sdk.grounding.confidence import DEFAULT
from docfleet.tools.sdk.words import Page


def field(
    match: MatchKind = MatchKind.EXACT, places: int = 1, ocr: float | None = None, *checks: bool
) -> FieldEvidence:
    return FieldEvidence(
        match=match,
        page=1,
        quote="12.50",
        places=places,
        ocr_confidence=ocr,
        checks=[Check(check="c", ok=ok) for ok in checks],
    )


def test_better_evidence_is_more_probable() -> None:
    best = confidence(field(MatchKind.EXACT, 1, None, True), DEFAULT)
    falling = [
        best,
        confidence(field(), DEFAULT),
        confidence(field(places=4), DEFAULT),
        confidence(field(MatchKind.FUZZY), DEFAULT),
        confidence(FieldEvidence(), DEFAULT),
    ]
    assert falling == sorted(falling, reverse=True) and 0.9 < best < 1 and falling[-1] < 0.5
    assert confidence(field(MatchKind.EXACT, 1, None, False), DEFAULT) < confidence(field(places=4), DEFAULT)


def test_a_calibration_says_how_often_fields_are_right() -> None:
    generator = random.Random(7)
    chances = {MatchKind.EXACT: 0.95, MatchKind.NORMALISED: 0.9, MatchKind.FUZZY: 0.6, MatchKind.NONE: 0.2}
    samples = []
    for _ in range(4000):
        kind = generator.choice(list(chances))
        samples.append(Sample(field(kind), generator.random() < chances[kind]))
    fitted = calibrate(samples, "a test")
    assert (fitted.samples, fitted.source) == (4000, "a test")
    for kind, chance in chances.items():
        assert confidence(field(kind), fitted) == pytest.approx(chance, abs=0.04)


def test_a_calibration_does_not_run_away() -> None:
    samples = [Sample(field(MatchKind.NORMALISED, 1, None, True, True), False)] * 19
    fitted = calibrate([*samples, Sample(field(places=3, ocr=0.9), True)])
    assert all(abs(weight) < 10 for weight in (fitted.intercept, *fitted.weights.values()))


def test_a_calibration_survives_its_settings() -> None:
    fitted = calibrate([Sample(field(places=1 + at % 3), at % 4 > 0) for at in range(40)])
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(fitted)), Calibration) == fitted


def test_a_long_document_does_not_speak_for_all() -> None:
    long = [Sample(field(), False, "long")] * 2000
    short = [Sample(field(), True, f"short {at}") for at in range(160)]
    assert confidence(field(), calibrate([*long, *short])) == pytest.approx(0.8, abs=0.02)


def test_better_evidence_never_counts_against_a_field() -> None:
    # Chance had it that fields with a failed check, and values that are not there, were the right ones.
    odd = [Sample(field(MatchKind.EXACT, 1, None, False), True), Sample(FieldEvidence(), True)] * 200
    fitted = calibrate([*odd, *[Sample(field(MatchKind.EXACT, 1, None, True), at > 20) for at in range(200)]])
    assert fitted.weights["failed"] == fitted.weights["none"] == 0.0 and fitted.weights["passed"] >= 0
    assert confidence(field(MatchKind.EXACT, 1, None, False), fitted) <= confidence(field(), fitted)


@pytest.mark.parametrize("rights", [[True] * 40, [False] * 40, [True, False]])
def test_too_few_samples_are_refused(rights: list[bool]) -> None:
    with pytest.raises(InvalidInput, match="label more documents"):
        calibrate([Sample(field(), right) for right in rights])


def test_sums_concern_the_numbers_of_a_list() -> None:
    lines = [{"description": "Paper", "amount": 10.0, "a/b": 3}]
    checks = [{"check": "sum_of_lines", "ok": True, "detail": "the lines are 10.00"}]
    made = report({"lines": lines}, WordIndex([Page("Paper 3 10.00")]), None, checks)
    assert [len(made.fields[f"/lines/0/{name}"].checks) for name in ("description", "amount", "a~1b")] == [0, 1, 1]


def test_a_report_has_checks_beside_the_fields_they_concern() -> None:
    checks = [
        {"check": "net_and_tax", "ok": False, "detail": "differs", "fields": ["net"]},
        {"check": "iban", "ok": True, "detail": "check digits"},
        "no check",
    ]
    made = report({"net": 10.0, "iban": "DE89", "other": "x"}, WordIndex([Page("Net 10.00 IBAN DE89 x")]), None, checks)  # type: ignore[arg-type]
    assert [check.ok for check in made.fields["/net"].checks] == [False]
    assert [check.ok for check in made.fields["/iban"].checks] == [True]
    assert made.fields["/other"].checks == [] and len(made.checks) == 2
    assert made.fields["/net"].confidence < made.fields["/iban"].confidence
    assert [(page.number, page.width) for page in made.pages] == [(1, 0.0)]
