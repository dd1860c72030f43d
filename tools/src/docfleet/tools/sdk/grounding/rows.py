"""The rows of a list: each item on a line of its own, in order, its values in the columns of their names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from docfleet.core.evidence import MatchKind
from docfleet.tools.sdk.grounding.choosing import badness
from docfleet.tools.sdk.grounding.index import WordIndex
from docfleet.tools.sdk.grounding.matching import Match

_MAX_LINES = 16
"""The most lines on which an item may be that are compared."""
_NEAR_LINES = 1.7
_BESIDE, _BACK, _BACK_A_PAGE = 0.4, 0.6, 1.0
"""What speaks against two items on one line, and against an item above the one before it."""
_FAR = 30.0


@dataclass(slots=True)
class Row:
    """One item of a list: the places of each of its values, by name. The result is ``line`` and ``chosen``."""

    places: Mapping[str, Sequence[Match]]
    line: int = -1
    chosen: dict[str, tuple[Match, int]] = field(default_factory=dict)


def place_rows(index: WordIndex, rows: Sequence[Row], after: Sequence[int] = ()) -> None:
    """Choose a place for every value of every row. ``after``: words that the list belongs to, such as its heading."""
    lines = [_candidate_lines(index, row) for row in rows]
    _choose_lines(index, rows, lines, after)
    columns = _columns(index, rows)
    for row in rows:
        _choose_places(index, row, columns)


def _candidate_lines(index: WordIndex, row: Row) -> list[tuple[int, float]]:
    """The likeliest lines with their scores: how many values of the row they have, rare values first."""
    scores: dict[int, dict[str, float]] = {}
    for name, found in row.places.items():
        weight = 1.0 / (1.0 + math.log(max(len(found), 1)))
        for match in found:
            score = weight * (1.2 - min(badness(match), 1.0))
            for word in (match.words[0], match.words[-1]):
                line = scores.setdefault(index.line_of[word], {})
                line[name] = max(line.get(name, 0.0), score)
    spread: dict[int, float] = {}
    for number, values in scores.items():
        spread[number] = sum(values.values())
        for other in (number - 1, number + 1):
            # Values of the row that this line lacks may be on the line above or below it.
            if other in scores and _apart(index, number, other) < _NEAR_LINES:
                spread[number] += 0.5 * sum(score for name, score in scores[other].items() if name not in values)
    top = max(len(each) for each in row.places.values()) if row.places else 0
    best_lines = sorted(spread.items(), key=lambda each: (-each[1], each[0]))
    # Lines that are equally good are all kept, as far as they go: which one it is follows from the order of the rows.
    return best_lines[: _MAX_LINES if top <= _MAX_LINES else 2 * _MAX_LINES]


def _apart(index: WordIndex, line: int, other: int) -> float:
    one, two = index.lines[line], index.lines[other]
    if one.page != two.page:
        return math.inf
    return abs(one.middle - two.middle) / index.heights[one.page]


def _choose_lines(
    index: WordIndex, rows: Sequence[Row], lines: Sequence[list[tuple[int, float]]], after: Sequence[int]
) -> None:
    """The lines with the best sum of scores, where rows that are out of order cost something (Viterbi)."""
    start = index.line_of[after[0]] if after else -1
    states: list[tuple[float, int, int]] = []  # cost, line, state before
    history: list[list[tuple[float, int, int]]] = []
    placed: list[int] = []
    for number, candidates in enumerate(lines):
        if not candidates:
            continue
        placed.append(number)
        present = []
        for line, score in candidates:
            if states:
                cost, before = min(
                    (cost + _step(index, previous, line), at) for at, (cost, previous, _) in enumerate(states)
                )
            else:
                cost, before = (_step(index, start, line) if start >= 0 else 0.02 * index.lines[line].page), -1
            present.append((cost - score, line, before))
        history.append(present)
        states = present
    if not history:
        return
    at = min(range(len(states)), key=lambda each: states[each][0])
    for number, present in zip(reversed(placed), reversed(history), strict=True):
        rows[number].line = present[at][1]
        at = present[at][2]


def _step(index: WordIndex, previous: int, line: int) -> float:
    if line == previous:
        return _BESIDE
    pages = index.lines[line].page - index.lines[previous].page
    if pages:
        return 0.3 + 0.05 * abs(pages) if pages > 0 else _BACK_A_PAGE
    if line < previous:
        return _BACK
    return 0.3 * min(_apart(index, previous, line), _FAR) / _FAR


def _columns(index: WordIndex, rows: Sequence[Row]) -> dict[str, tuple[float, float]]:
    """Left and right edge of each column, from the values that have one place in their row."""
    edges: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for name, found in row.places.items():
            near = [match for match in found if _offset(index, match, row.line) < 0.8]
            if len(near) == 1:
                edges.setdefault(name, []).append(_edges(index, near[0]))
    return {
        name: (median(left for left, _ in each), median(right for _, right in each)) for name, each in edges.items()
    }


def _edges(index: WordIndex, match: Match) -> tuple[float, float]:
    return min(index.words[word].left for word in match.words), max(index.words[word].right for word in match.words)


def _offset(index: WordIndex, match: Match, line: int) -> float:
    """How many lines a place is from ``line``; 100 and more on another page."""
    if line < 0:
        return 0.0
    ours = index.lines[line]
    page = index.page_of(match.words[0])
    if page != ours.page:
        return 100.0 + abs(page - ours.page)
    return min(abs(index.words[word].middle - ours.middle) for word in match.words) / index.heights[page]


def _belongs(index: WordIndex, row: Row, name: str, match: Match) -> bool:
    """Whether a place can be that of a value of this row, where the other values say where the row is."""
    if row.line < 0:
        return True
    page = index.lines[row.line].page
    apart = abs(index.page_of(match.words[0]) - page)
    if apart == 0 or (apart == 1 and match.kind is not MatchKind.FUZZY):
        return True
    support = sum(
        any(index.page_of(each.words[0]) == page for each in found)
        for other, found in row.places.items()
        if other != name
    )
    return support == 0


def _choose_places(index: WordIndex, row: Row, columns: Mapping[str, tuple[float, float]]) -> None:
    used: set[int] = set()
    # Values with few places choose first; among equals the order of the names is that of the columns.
    for name, everywhere in sorted(row.places.items(), key=lambda each: len(each[1])):
        found = [match for match in everywhere if _belongs(index, row, name, match)]
        if not found:
            continue
        scored = []
        for order, match in enumerate(found):
            offset = _offset(index, match, row.line)
            cost = badness(match) + min(offset, 20.0) / 2 + (5.0 if offset >= 100 else 0.0)
            if name in columns:
                left, right = _edges(index, match)
                height = index.heights[index.page_of(match.words[0])]
                cost += min(abs(left - columns[name][0]), abs(right - columns[name][1]), 40 * height) / height / 4
            if used.issuperset(match.words):
                cost += 0.6
            scored.append((cost, order, match))
        scored.sort(key=lambda each: each[:2])
        best = scored[0]
        row.chosen[name] = best[2], sum(1 for cost, _, _ in scored if cost < best[0] + 0.3)
        used.update(best[2].words)
