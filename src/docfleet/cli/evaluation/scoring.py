"""Compares the result of a document with its label, leaf by leaf.

A leaf is a value that is neither an object nor a list. Numbers are equal to six decimals, texts without regard to
case, white space and punctuation. Lists have no order: each labelled item is paired with the most similar item of the
result. Only fields that some label names are scored, because a label rarely names all that a workflow finds.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

_DECIMALS = 6
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
_MOST_ITEMS = 2000
"""Longer lists are paired by their order: pairing by similarity is quadratic."""


class Mismatch(msgspec.Struct, frozen=True):
    """A leaf that is not right, by JSON Pointer into the result, or into the label where the result has none.

    ``expected`` is None for what the label does not have, ``found`` for what the result does not have.
    """

    pointer: str
    expected: Any = None
    found: Any = None


class Score(msgspec.Struct):
    """Counts of leaves. ``right`` ones are in both."""

    right: int = 0
    labelled: int = 0
    answered: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.right + other.right, self.labelled + other.labelled, self.answered + other.answered)

    @property
    def precision(self) -> float:
        """The share of the leaves of results that are right; 1 when there are none."""
        return self.right / self.answered if self.answered else 1.0

    @property
    def recall(self) -> float:
        """The share of the leaves of labels that results have; 1 when there are none."""
        return self.right / self.labelled if self.labelled else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.right / (self.answered + self.labelled) if self.answered + self.labelled else 1.0


class Comparison(msgspec.Struct):
    """A result against its label: the score by field (the first step of the pointer), and each leaf."""

    fields: dict[str, Score] = {}
    mismatches: list[Mismatch] = []
    right: list[str] = []
    """JSON Pointers into the result."""

    @property
    def score(self) -> Score:
        """All fields together."""
        return sum(self.fields.values(), Score())


def compare(label: dict[str, Any], result: dict[str, Any], fields: Iterable[str]) -> Comparison:
    """Compare the given top-level ``fields``."""
    comparison = Comparison()
    for name in fields:
        walk = _LeafWalk()
        walk.compare(label.get(name), result.get(name), f"/{_escaped(name)}")
        comparison.fields[name] = Score(len(walk.right), walk.labelled, walk.answered)
        comparison.mismatches += walk.mismatches
        comparison.right += walk.right
    return comparison


class _LeafWalk:
    """Goes through a label and a result together."""

    def __init__(self) -> None:
        self.right: list[str] = []
        self.mismatches: list[Mismatch] = []
        self.labelled = 0
        self.answered = 0

    def compare(self, label: Any, result: Any, pointer: str) -> None:
        if isinstance(label, dict) and isinstance(result, dict):
            for name in {**label, **result}:
                self.compare(label.get(name), result.get(name), f"{pointer}/{_escaped(str(name))}")
        elif isinstance(label, list) and isinstance(result, list):
            self._lists(label, result, pointer)
        elif _is_leaf(label) and _is_leaf(result) and label is not None and result is not None:
            self.labelled += 1
            self.answered += 1
            if is_equal(label, result):
                self.right.append(pointer)
            else:
                self.mismatches.append(Mismatch(pointer, label, result))
        else:
            self._missing(label, pointer)
            self._surplus(result, pointer)

    def _lists(self, label: list[Any], result: list[Any], pointer: str) -> None:
        pairs = dict(_pairs(label, result))
        for at, item in enumerate(label):
            if at in pairs:
                self.compare(item, result[pairs[at]], f"{pointer}/{pairs[at]}")
            else:
                self._missing(item, f"{pointer}/{at}")
        paired = set(pairs.values())
        for at, item in enumerate(result):
            if at not in paired:
                self._surplus(item, f"{pointer}/{at}")

    def _missing(self, label: Any, pointer: str) -> None:
        for at, value in leaves(label, pointer):
            self.labelled += 1
            self.mismatches.append(Mismatch(at, expected=value))

    def _surplus(self, result: Any, pointer: str) -> None:
        for at, value in leaves(result, pointer):
            self.answered += 1
            self.mismatches.append(Mismatch(at, found=value))


def leaves(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves in ``value`` by JSON Pointer. Null and empty values are none."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, f"{pointer}/{_escaped(str(name))}")
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from leaves(item, f"{pointer}/{at}")
    elif value is not None and value != "":
        yield pointer, value


def is_equal(label: Any, result: Any) -> bool:
    """Whether two leaves mean the same. A number and its text are equal."""
    if isinstance(label, bool) or isinstance(result, bool):
        return label is result
    one, two = _number(label), _number(result)
    if one is not None and two is not None:
        return round(one, _DECIMALS) == round(two, _DECIMALS)
    if isinstance(label, int | float) or isinstance(result, int | float):
        return bool(label == result)  # without its marks, the text "1,5" would be 15
    return _plain(str(label)) == _plain(str(result))


def _is_leaf(value: Any) -> bool:
    return not isinstance(value, dict | list) and value != ""


def _number(value: Any) -> float | None:
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None  # "nan" and "1_0" are numbers to Python only
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if unicodedata.category(character)[0] in "LNMS")


def _pairs(label: list[Any], result: list[Any]) -> Iterator[tuple[int, int]]:
    """Pairs of positions, the most similar first."""
    if len(label) > _MOST_ITEMS or len(result) > _MOST_ITEMS:
        yield from ((at, at) for at in range(min(len(label), len(result))))
        return
    ours = [_signature(item) for item in label]
    theirs = [_signature(item) for item in result]
    ranked = sorted(
        ((_similarity(one, two), -at, -other) for at, one in enumerate(ours) for other, two in enumerate(theirs)),
        reverse=True,
    )
    free, taken = set(range(len(label))), set[int]()
    for similarity, at, other in ranked:
        # Items that share nothing are no pair: both are wrong as a whole.
        if similarity > 0 and -at in free and -other not in taken:
            free.discard(-at)
            taken.add(-other)
            yield -at, -other


def _signature(item: Any) -> frozenset[tuple[str, str]]:
    return frozenset((pointer, _canonical(value)) for pointer, value in leaves(item))


def _canonical(value: Any) -> str:
    number = None if isinstance(value, bool) else _number(value)
    return _plain(str(value)) if number is None else f"{round(number, _DECIMALS):g}"


def _similarity(one: frozenset[tuple[str, str]], two: frozenset[tuple[str, str]]) -> float:
    union = len(one | two)
    return len(one & two) / union if union else 0.0


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
