"""How often fields are right that have a confidence, on recorded answers with known truth.

    python -m bench.confidence [--data FOLDER]

FOLDER (default: ``DOCFLEET_TEST_DATA``, else ``../shared/data``) holds ``docubench`` with ``documents``, ``labels``
and ``answers``. The first table is of the shipped weights; the second of weights that are fitted to the other documents
only, ten times.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from bench.grounding import pages_of
from docfleet.cli.evaluation.scoring import compare
from docfleet.core.errors import DocfleetError
from docfleet.core.settings import environment
from docfleet.tools.sdk.grounding import Calibration, Sample, WordIndex, calibrate, confidence, report
from docfleet.tools.sdk.grounding.confidence import DEFAULT

ROOT = Path(__file__).resolve().parents[1]
_BOUNDS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
_FOLDS = 10


def samples(data: Path) -> Iterator[Sample]:
    """The values of the recorded answers that have a place in the label or in the answer."""
    for path in sorted((data / "documents").iterdir()):
        label = json.loads((data / "labels" / f"{path.stem}.json").read_text("utf-8"))
        try:
            words = WordIndex(pages_of(path))
        except DocfleetError as error:
            print(f"{path.name}: {error.message}", file=sys.stderr)
            continue
        for recorded in sorted((data / "answers").glob(f"*/{path.stem}.json")):
            answer = json.loads(recorded.read_text("utf-8")).get("data")
            if not isinstance(answer, dict):
                continue
            comparison = compare(label, answer, dict.fromkeys([*label, *answer]))
            right = set(comparison.right)
            wrong = {mismatch.pointer for mismatch in comparison.mismatches if mismatch.found is not None}
            for pointer, evidence in report(answer, words).fields.items():
                if pointer in right or pointer in wrong:
                    yield Sample(evidence, pointer in right, path.stem)


def table(fields: Sequence[tuple[Sample, float]]) -> str:
    """By confidence: how many fields, their mean confidence, and the share that is right."""
    rows = ["| confidence | fields | mean | right |", "| --- | ---: | ---: | ---: |"]
    for low, high in [*pairwise(_BOUNDS), (0.9, 1.0)]:
        some = [(sample.right, sure) for sample, sure in fields if low <= sure < high]
        if some:
            mean, right = (sum(column) / len(some) for column in ([sure for _, sure in some], [ok for ok, _ in some]))
            rows.append(f"| {low:.2f} to {high:.2f} | {len(some)} | {mean:.3f} | {right:.3f} |")
    return "\n".join(rows)


def held_out(fields: Sequence[Sample]) -> Iterator[tuple[Sample, float]]:
    """Each field with the confidence by weights that know nothing of its document."""
    fold = {document: at % _FOLDS for at, document in enumerate(Counter(field.document for field in fields))}
    for number in range(_FOLDS):
        fitted: Calibration = calibrate(field for field in fields if fold[field.document] != number)
        yield from ((field, confidence(field.evidence, fitted)) for field in fields if fold[field.document] == number)


def main() -> int:
    """Print both tables, and the weights that fit all."""
    parser = argparse.ArgumentParser(prog="python -m bench.confidence", description="How true confidence is.")
    default = environment().get("DOCFLEET_TEST_DATA") or ROOT.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(default), help="the folder of documents with truth")
    data = parser.parse_args().data / "docubench"
    if not (data / "answers").is_dir():
        print(f"no recorded answers at {data}: name the folder above it with --data", file=sys.stderr)
        return 2
    fields = list(samples(data))
    print(f"{len(fields)} values, {sum(field.right for field in fields) / len(fields):.3f} right\n\nshipped weights\n")
    print(table([(field, confidence(field.evidence, DEFAULT)) for field in fields]))
    print("\nfitted to other documents\n")
    print(table(list(held_out(fields))))
    fitted = calibrate(fields)
    print("\nfitted to all:", fitted.intercept, fitted.weights)
    return 0


if __name__ == "__main__":
    sys.exit(main())
