"""How probable it is that a field is right, from its evidence and its checks.

A logistic regression of a few features, whose weights are fitted to labelled documents: of the fields with a
confidence of 0.9, nine in ten are right. The weights of a workflow are kept with it, in the settings of its tool.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from docfleet.core.errors import InvalidInput
from docfleet.core.evidence import Evidence, FieldEvidence, MatchKind

FEATURES = ("normalised", "fuzzy", "none", "difference", "ambiguity", "ocr", "unsure", "short", "passed", "failed")
"""An exact, unique match in text of the document itself has 0 in all of them."""

MIN_SAMPLES = 20
_RIDGE = 1.0
_STEPS = 50
_TOLERANCE = 1e-6
_MOST = 0.999
_MOST_OF_A_DOCUMENT = 40.0
"""What the values of one document weigh together, in values: they are right or wrong for the same reasons."""
_SIGNS = {"fuzzy": -1, "none": -1, "difference": -1, "ambiguity": -1, "unsure": -1, "passed": 1, "failed": -1}
"""Features that can only speak for a field or against it, whatever a few samples say."""


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The weights of the features, and how many fields of which documents they were fitted to."""

    intercept: float
    weights: dict[str, float]
    samples: int = 0
    source: str = ""


class Sample(NamedTuple):
    """A field with its evidence and checks, whether its value is right, and the document it is of."""

    evidence: FieldEvidence
    right: bool
    document: str = ""
    """Samples without one are each of a document of its own."""


def features(evidence: Evidence, passed: int = 0, failed: int = 0) -> list[float]:
    """The features of a field, each from 0 up, in the order of ``FEATURES``."""
    ocr = evidence.ocr_confidence
    return [
        float(evidence.match is MatchKind.NORMALISED),
        float(evidence.match is MatchKind.FUZZY),
        float(evidence.match is MatchKind.NONE),
        1.0 - evidence.similarity,
        math.log(min(max(evidence.places, 1), 20)),
        float(ocr is not None),
        0.0 if ocr is None else 1.0 - ocr,
        float(len(evidence.quote) <= 2 and evidence.match is not MatchKind.NONE),
        float(passed > 0),
        float(failed > 0),
    ]


def confidence(evidence: FieldEvidence, calibration: Calibration) -> float:
    """The probability that the field is right, from 0 to 1."""
    passed = sum(check.ok for check in evidence.checks)
    values = features(evidence, passed, len(evidence.checks) - passed)
    total = calibration.intercept + sum(
        calibration.weights.get(name, 0.0) * value for name, value in zip(FEATURES, values, strict=True)
    )
    return round(min(max(_probability(total), 1 - _MOST), _MOST), 3)


def calibrate(samples: Iterable[Sample], source: str = "") -> Calibration:
    """Fit the weights to labelled fields. Raises ``InvalidInput`` for less than ``MIN_SAMPLES``, or when all are right
    or all are wrong.

    Weights that the samples say nothing about stay near those that are shipped.
    """
    samples = list(samples)
    sizes = Counter(sample.document for sample in samples)
    rows, rights, shares = [], [], []
    for sample in samples:
        passed = sum(check.ok for check in sample.evidence.checks)
        rows.append([1.0, *features(sample.evidence, passed, len(sample.evidence.checks) - passed)])
        rights.append(float(sample.right))
        shares.append(min(1.0, _MOST_OF_A_DOCUMENT / sizes[sample.document]) if sample.document else 1.0)
    if len(rows) < MIN_SAMPLES or len(set(rights)) < 2:
        raise InvalidInput(
            f"a calibration needs at least {MIN_SAMPLES} labelled fields, some right and some wrong; there are "
            f"{len(rows)}, {int(sum(rights))} of them right: label more documents"
        )
    weights = _fit(rows, rights, shares, [DEFAULT.intercept, *(DEFAULT.weights[name] for name in FEATURES)])
    return Calibration(
        round(weights[0], 4),
        {name: round(weight, 4) for name, weight in zip(FEATURES, weights[1:], strict=True)},
        samples=len(rows),
        source=source,
    )


def _probability(total: float) -> float:
    return 1 / (1 + math.exp(-total)) if total >= 0 else math.exp(total) / (1 + math.exp(total))


def _log1p_exp(total: float) -> float:
    return max(total, 0.0) + math.log1p(math.exp(-abs(total)))


def _fit(
    rows: Sequence[Sequence[float]], rights: Sequence[float], shares: Sequence[float], prior: Sequence[float]
) -> list[float]:
    """Projected Newton's method for a logistic regression that is drawn to ``prior``; the intercept is free, and
    weights keep their ``_SIGNS``. ``shares`` say how much each row counts."""
    size = len(prior)
    weights = list(prior)
    ridge = [0.01, *([_RIDGE] * (size - 1))]
    signs = [0, *(_SIGNS.get(name, 0) for name in FEATURES)]

    def _loss(weights: Sequence[float]) -> float:
        totals = (sum(map(float.__mul__, weights, row)) for row in rows)
        each = zip(totals, rights, shares, strict=True)
        unlikely = sum(share * _log1p_exp(-total if right else total) for total, right, share in each)
        drawn = zip(ridge, weights, prior, strict=True)
        return unlikely + sum(strength * (weight - at) ** 2 / 2 for strength, weight, at in drawn)

    for _ in range(_STEPS):
        gradient, hessian = _slope(rows, rights, shares, weights)
        for at in range(size):
            gradient[at] += ridge[at] * (prior[at] - weights[at])
            hessian[at][at] += ridge[at]
        for at, sign in enumerate(signs):
            if sign and not weights[at] and gradient[at] * sign < 0:  # held at 0: it would change its sign
                gradient[at] = 0.0
                for other in range(size):
                    hessian[at][other] = hessian[other][at] = float(at == other)
        step = _solved(hessian, gradient)
        loss = _loss(weights)
        # A whole step may overshoot where nearly all samples are right: then the next one goes further astray.
        while _loss(moved := _moved(weights, step, signs)) > loss:
            step = [change / 2 for change in step]
            if max(map(abs, step)) < _TOLERANCE:
                return weights
        weights = moved
        if max(map(abs, step)) < _TOLERANCE:
            break
    return weights


def _moved(weights: Sequence[float], step: Sequence[float], signs: Sequence[int]) -> list[float]:
    moved = (weight + change for weight, change in zip(weights, step, strict=True))
    return [0.0 if weight * sign < 0 else weight for weight, sign in zip(moved, signs, strict=True)]


def _slope(
    rows: Sequence[Sequence[float]], rights: Sequence[float], shares: Sequence[float], weights: Sequence[float]
) -> tuple[list[float], list[list[float]]]:
    """The gradient of the likelihood, and what its curvature takes away."""
    size = len(weights)
    gradient = [0.0] * size
    hessian = [[0.0] * size for _ in range(size)]
    for row, right, share in zip(rows, rights, shares, strict=True):
        probability = _probability(sum(map(float.__mul__, weights, row)))
        spread = share * max(probability * (1 - probability), 1e-6)
        for at, value in enumerate(row):
            if value:
                gradient[at] += share * (right - probability) * value
                for other in range(size):
                    hessian[at][other] += spread * value * row[other]
    return gradient, hessian


def _solved(matrix: list[list[float]], values: list[float]) -> list[float]:
    """Solve ``matrix`` x = ``values``; the matrix is symmetric and positive definite."""
    size = len(values)
    rows = [[*matrix[at], values[at]] for at in range(size)]
    for at in range(size):
        for other in range(at + 1, size):
            factor = rows[other][at] / rows[at][at]
            rows[other] = [one - factor * two for one, two in zip(rows[other], rows[at], strict=True)]
    solution = [0.0] * size
    for at in reversed(range(size)):
        known = sum(rows[at][other] * solution[other] for other in range(at + 1, size))
        solution[at] = (rows[at][size] - known) / rows[at][at]
    return solution


DEFAULT = Calibration(
    intercept=2.6,
    weights={
        "normalised": 0.0, "fuzzy": -1.9, "none": -2.7, "difference": -4.0, "ambiguity": -0.15, "ocr": -0.5,
        "unsure": -1.6, "short": -0.1, "passed": 0.3, "failed": -1.9,
    },
)  # fmt: skip
"""Weights for any workflow: rounded from a fit to labelled documents in many languages, which was held out by document.
A value that is nowhere in its document gets less than that fit gave it: there it was right often because the text had
not been read."""
