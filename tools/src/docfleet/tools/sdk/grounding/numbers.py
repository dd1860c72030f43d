"""The numbers that a written figure may mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from docfleet.tools.sdk.grounding.folding import ascii_digits

_MARKS = ".,'\u2019\u066b\u066c\u00b7"
_FIGURE = re.compile(rf"\d+(?:[{_MARKS}]\d+)*|(?<![\d\w])[.,]\d+")
_MINUS = "-\u2212\u2013\u2010\u2011"
_SPACES = " \u00a0\u2009\u202f"
_NIL = re.compile(r"(?<!\S)[-\u2212\u2013\u2014](?!\S)")
_PLACES = 6


class Figure(NamedTuple):
    """A number as it is written between ``start`` and ``end``. ``plain``: there is one way to read it."""

    start: int
    end: int
    value: float
    negative: bool
    percent: bool
    plain: bool


def key(value: float) -> float:
    """What equal numbers have in common, whatever their sign."""
    return round(abs(value), _PLACES)


def figures(line: str) -> Iterator[Figure]:
    """Every number that the text may be read as; groups of digits apart count alone and together."""
    line = ascii_digits(line)
    runs = [(match.start(), match.end()) for match in _FIGURE.finditer(line)]
    for index, (start, end) in enumerate(runs):
        values = _values(line[start:end])
        for value in values:
            yield _figure(line, start, end, value, plain=len(values) == 1)
        yield from _apart(line, runs, index)
    for match in _NIL.finditer(line):
        yield Figure(match.start(), match.end(), 0.0, negative=False, percent=False, plain=False)


def _apart(line: str, runs: list[tuple[int, int]], index: int) -> Iterator[Figure]:
    """Thousands that stand apart: ``1 234 567,89``."""
    start, end = runs[index]
    written = line[start:end]
    if not written.isdigit() or len(written) > 3:
        return
    for next_start, next_end in runs[index + 1 :]:
        following = line[next_start:next_end]
        if next_start - end != 1 or line[end] not in _SPACES or not following[:3].isdigit() or len(following) < 3:
            return
        if len(following) > 3 and following[3].isdigit():
            return
        written, end = written + following, next_end
        for value in _values(written) if following.isdigit() else _values(written, decimal=True):
            yield _figure(line, start, end, value, plain=True)
        if not following.isdigit():
            return


def _figure(line: str, start: int, end: int, value: float, *, plain: bool) -> Figure:
    before, after = line[max(start - 3, 0) : start].rstrip(), line[end : end + 3]
    bracketed = before.endswith("(") and after.lstrip().startswith(")")
    minus = before.endswith(tuple(_MINUS)) and not before[:-1].endswith(tuple("0123456789"))
    behind = after[:1] != "" and after[0] in _MINUS and not after[1:2].isalnum()
    return Figure(start, end, value, bracketed or minus or behind, after.lstrip().startswith(("%", "\u066a")), plain)


def _values(written: str, *, decimal: bool = False) -> list[float]:
    marks = [character for character in written if not character.isdigit()]
    if not marks:
        return [float(written)] if len(written) <= 18 else []
    last = max(written.rfind(mark) for mark in set(marks))
    integer, fraction = written[:last], written[last + 1 :]
    digits = re.sub(r"\D", "", integer)
    values = []
    if marks.count(marks[-1]) == 1 and marks[-1] not in "'\u2019\u066c" and (decimal or _are_groups(integer)):
        values.append(float(f"{digits or '0'}.{fraction}"))
    if not decimal and len(set(marks)) == 1 and _are_groups(written):
        values.append(float(re.sub(r"\D", "", written)))
    return values


def _are_groups(integer: str) -> bool:
    """Whether the marks in it, if any, stand where thousands (or lakhs) are separated."""
    parts = re.split(r"\D", integer)
    if len(parts) == 1:
        return True
    return len(parts[-1]) == 3 and 0 < len(parts[0]) <= 3 and all(len(part) in (2, 3) for part in parts[1:-1])
