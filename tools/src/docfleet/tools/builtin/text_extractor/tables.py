"""Finds tables among lines of words, and joins the lines of cells that have several."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from docfleet.tools.sdk.words import Word

# A table has so many lines with so many cells.
_LEAST_CELLS, _LEAST_ROWS = 3, 3
# So many lines with fewer cells may stand between those, no further apart than this part of the height of a line.
_MOST_PARTIAL, _FURTHEST = 6, 1.6
# The lines of a cell stand closer than this, and rows are this much further apart; parts of the height of a line.
_LEADING, _STEP, _OVERLAP = 0.35, 0.12, 0.3
_MOST_LINES = 12
# A cell reaches over a column that has so much of the width of the cell, or is half covered by it.
_SPANNED = 0.15
# A number, perhaps with its currency or unit; or the sign for none.
_NUMBER = re.compile(
    r"([^\W\d_]{1,4}\.? ?)?[(+\W]{0,3}\d[\d\s.,:'/%()*\W]*([^\W\d_]{1,4}\.?)?|[-\u2013\u2014.*\u2026]{1,4}|n/?a",
    re.IGNORECASE,
)
# In a table, so many columns have so many numbers, in so many rows.
_LEAST_NUMBERS = 2
# Rows of one table have no more than one line of another kind between them, such as a subheading.
_MOST_BETWEEN = 2

Line = Sequence[Word]
Group = list[list[tuple[int, Word]]]
"""The lines of a row, each with its cells and the numbers of their columns."""


@dataclass(slots=True)
class Table:
    """The rows of the lines from ``first`` to before ``last``; each cell is the number of its column and its words as
    one, whose box encloses them.
    """

    first: int
    last: int
    rows: list[list[tuple[int, Word]]]


def cells_of(line: Line, unit: float) -> list[Word]:
    """The words of a line that stand close together, as one each. ``unit`` is the usual width of a letter."""
    cells: list[Word] = []
    previous: Word | None = None
    for word in line:
        if previous is not None and is_close(previous, word, unit):
            cell = cells[-1]
            cell.text += " " + word.text
            cell.right = max(cell.right, word.right)
            cell.top, cell.bottom = min(cell.top, word.top), max(cell.bottom, word.bottom)
        else:
            cells.append(Word(word.text, word.left, word.top, word.right, word.bottom))
        previous = word
    return cells


def is_close(word: Word, following: Word, unit: float) -> bool:
    """Whether only a space is between two words of a line; large type has wide spaces, hence its height counts too."""
    return following.left - word.right < max(
        1.2 * unit, 0.75 * min(word.bottom - word.top, following.bottom - following.top)
    )


def continued(text: str, following: str) -> str | None:
    """``text`` with the line after it, if its last word goes on there; None if it does not.

    The hyphen of a broken word is dropped, that of a compound stays.
    """
    if len(text) < 3 or text[-1] != "-" or not text[-2].isalpha() or not following[:1].isalpha():
        return None
    return text[:-1] + following if following[0].islower() else text + following


def is_number(text: str) -> bool:
    """Whether a cell holds a number, or a sign for none."""
    return _NUMBER.fullmatch(text) is not None


def tables(lines: list[list[Word]], unit: float, height: float) -> list[Table]:
    """The tables among ``lines`` in which some row has several lines."""
    cells = [cells_of(line, unit) for line in lines]
    found: list[Table] = []
    for first, last in _runs(cells, height):
        groups = _groups(cells[first:last], height)
        for start, end in _with_numbers(_in_columns(groups)):
            # The columns of this table alone: others near it have theirs.
            rows = _rows(_in_columns(groups[start:end], parted=True))
            if rows is not None:
                above = first + sum(len(group) for group in groups[:start])
                found.append(Table(above, above + sum(len(group) for group in groups[start:end]), rows))
    return found


def _in_columns(groups: list[list[list[Word]]], parted: bool = False) -> list[Group]:
    """The cells with the numbers of their columns; ``parted`` where a line can be in no row with the one above."""
    columns = _columns([line for group in groups for line in group])
    placed: list[Group] = []
    for group in groups:
        if not parted:
            placed.append([[(_column_of(cell, columns), cell) for cell in line] for line in group])
            continue
        for spanning, lines in itertools.groupby(group, lambda line: any(_spans(cell, columns) for cell in line)):
            part = [[(_column_of(cell, columns), cell) for cell in line] for line in lines]
            placed += [[line] for line in part] if spanning else _parted(part)
    return placed


def _runs(cells: list[list[Word]], height: float) -> list[tuple[int, int]]:
    """Where tables could be: lines with several cells, and what stands closely between and around them."""
    full = [number for number in range(len(cells)) if _cells_beside(cells, number, height) >= _LEAST_CELLS]
    runs: list[tuple[int, int, int]] = []
    for number in full:
        if runs:
            first, last, rows = runs[-1]
            between = range(last - 1, number)
            if number - last <= _MOST_PARTIAL and all(_gap(cells, above) < _FURTHEST * height for above in between):
                runs[-1] = (first, number + 1, rows + 1)
                continue
        runs.append((number, number + 1, 1))
    grown: list[tuple[int, int]] = []
    for first, last, rows in runs:
        if rows < _LEAST_ROWS:
            continue
        while last < len(cells) and _gap(cells, last - 1) < _LEADING * height and last - first < 4 * rows:
            last += 1
        least = grown[-1][1] if grown else 0
        while first > least and _gap(cells, first - 1) < _LEADING * height:
            first -= 1
        grown.append((first, last))
    return grown


def _cells_beside(cells: list[list[Word]], number: int, height: float) -> int:
    """How many cells stand in a line, and in lines that are partly beside it: numbers in the middle of their row."""
    count = len(cells[number])
    if number and _gap(cells, number - 1) < -_OVERLAP * height:
        count += len(cells[number - 1])
    if number + 1 < len(cells) and _gap(cells, number) < -_OVERLAP * height:
        count += len(cells[number + 1])
    return count


def _gap(cells: list[list[Word]], above: int) -> float:
    """The distance between a line and the next."""
    return min(cell.top for cell in cells[above + 1]) - max(cell.bottom for cell in cells[above])


def _groups(cells: list[list[Word]], height: float) -> list[list[list[Word]]]:
    """The lines by rows: those that stand as close as the lines of a cell, where others stand further apart."""
    gaps = [_gap(cells, above) for above in range(len(cells) - 1)]
    limit = -_OVERLAP * height
    ordered = sorted(gap for gap in gaps if gap > limit)
    steps = [
        (wider - narrow, (wider + narrow) / 2)
        for narrow, wider in itertools.pairwise(ordered)
        if narrow < _LEADING * height and wider - narrow >= _STEP * height
    ]
    if steps:
        limit = max(steps)[1]
    groups = [[cells[0]]]
    for gap, line in zip(gaps, cells[1:], strict=True):
        if gap < limit:
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


def _columns(cells: list[list[Word]]) -> list[tuple[float, float]]:
    """From where to where each column reaches; cells that span several do not count."""
    columns: list[tuple[float, float, set[int]]] = []
    placed = [(cell.right - cell.left, cell.left, number, cell) for number, line in enumerate(cells) for cell in line]
    for _, _, number, cell in sorted(placed, key=lambda entry: entry[:3]):
        touched = [column for column in columns if column[0] < cell.right and cell.left < column[1]]
        lines = [line for column in touched for line in column[2]]
        if len(lines) > len(set(lines)):
            continue  # what stands side by side in some line is not one column
        columns = [column for column in columns if column not in touched]
        columns.append(
            (
                min([cell.left, *(column[0] for column in touched)]),
                max([cell.right, *(column[1] for column in touched)]),
                {number, *lines},
            )
        )
    return sorted((left, right) for left, right, _ in columns)


def _column_of(cell: Word, columns: list[tuple[float, float]]) -> int:
    shared = [min(right, cell.right) - max(left, cell.left) for left, right in columns]
    most = max(shared)
    # What spans several columns belongs to the first of them.
    return next(number for number, width in enumerate(shared) if width > 0.3 * most or width == most)


def _parted(group: Group) -> list[Group]:
    """The lines of a heading and those of a row below it: numbers below texts are in a row of their own."""
    parts: list[Group] = [[]]
    texts: set[int] = set()
    for line in group:
        numbers = {column for column, cell in line if is_number(cell.text)}
        if len(numbers & texts) >= _LEAST_NUMBERS:
            parts.append([])
            texts = set()
        texts |= {column for column, cell in line} - numbers
        parts[-1].append(line)
    return parts


def _with_numbers(groups: list[Group]) -> list[tuple[int, int]]:
    """From which to before which group rows follow each other that have numbers in the same columns, each time with the
    heading above them.
    """
    numbers = [{column for line in group for column, cell in line if is_number(cell.text)} for group in groups]
    chains: list[list[int]] = []
    for index, here in enumerate(numbers):
        if len(here) < _LEAST_NUMBERS:
            continue
        if chains and index - chains[-1][-1] <= _MOST_BETWEEN and len(here & numbers[chains[-1][-1]]) >= _LEAST_NUMBERS:
            chains[-1].append(index)
        else:
            chains.append([index])
    found: list[tuple[int, int]] = []
    for chain in chains:
        if len(chain) < _LEAST_NUMBERS:
            continue
        start = chain[0]
        if start and not numbers[start - 1] and len(_counts(groups[start - 1])) >= _LEAST_CELLS:
            start -= 1
        found.append((start, chain[-1] + 1))
    return found


def _spans(cell: Word, columns: list[tuple[float, float]]) -> bool:
    """Whether a cell reaches over several columns: a heading of those, or a remark between two rows."""
    least = _SPANNED * (cell.right - cell.left)
    return (
        sum(min(right, cell.right) - max(left, cell.left) > min(least, (right - left) / 2) for left, right in columns)
        > 1
    )


def _rows(groups: list[Group]) -> Group | None:
    """The rows with the lines of their cells joined; None if nothing shows that these are rows of a table."""
    several = [group for group in groups if len(group) > 1]
    sure = sum(_is_one_row(group) for group in several)
    wrong = sum(_has_two_numbers(group) for group in several)
    if not sure or wrong > 0.2 * len(several):
        return None
    rows: Group = []
    for group in groups:
        if len(group) == 1 or len(group) > _MOST_LINES or _has_two_numbers(group):
            rows += group
        else:
            rows.append(_joined(group))
    return rows


def _is_one_row(group: Group) -> bool:
    """Whether some cells have one line beside others with several, as in no two rows."""
    counts = _counts(group)
    if len(counts) < 2 or _has_two_numbers(group) or max(counts.values()) < 2:
        return False
    single = [column for column, count in counts.items() if count == 1]
    numbers = {column for line in group for column, cell in line if is_number(cell.text)}
    return bool(numbers.intersection(single)) or len(single) >= len(counts) / 2


def _has_two_numbers(group: Group) -> bool:
    """Whether numbers stand below each other: a number has one line."""
    seen: set[int] = set()
    for line in group:
        for column, cell in line:
            if is_number(cell.text):
                if column in seen:
                    return True
                seen.add(column)
    return False


def _counts(group: Group) -> dict[int, int]:
    counts: dict[int, int] = {}
    for line in group:
        for column in {column for column, _ in line}:
            counts[column] = counts.get(column, 0) + 1
    return counts


def _joined(group: Group) -> list[tuple[int, Word]]:
    cells: dict[int, Word] = {}
    for line in group:
        for column, cell in line:
            if column in cells:
                known = cells[column]
                known.text = continued(known.text, cell.text) or f"{known.text} {cell.text}"
                known.left, known.right = min(known.left, cell.left), max(known.right, cell.right)
            else:
                cells[column] = Word(cell.text, cell.left, cell.top, cell.right, cell.bottom)
    top = min(cell.top for line in group for _, cell in line)
    bottom = max(cell.bottom for line in group for _, cell in line)
    for cell in cells.values():
        cell.top, cell.bottom = top, bottom
    return sorted(cells.items())
