"""Splits the words of a page into regions that are read one after the other: columns of prose, and what is a grid."""

from __future__ import annotations

import itertools
import statistics
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from docfleet.tools.sdk.words import Word

# A strip between columns is at least as wide as this part of the height of a line, and as tall as so many lines.
_GUTTER = 0.55
_LEAST_LINES = 4
# A line above or below columns that is so many widths of a strip away is no line of theirs.
_ALONE = 3
# Lines of prose fill their column: so many of them reach so far, and are as long.
_FILLED, _REACHED = 0.5, 0.65
_LONG_LINE, _LONG_IDEOGRAPHS = 18, 8
# Between the sentences of prose, lines begin in the middle of one; rows of tables begin with capitals and numbers.
_MIDDLE_OF_SENTENCE = 0.2
_LETTERS = 0.7
# Blocks of two columns that begin beside each other this often are the rows of a table.
_PARALLEL = 0.7
# The widest space of justified text, as a part of the height of its line; and how many lines of prose have wider ones.
_JUSTIFIED, _APART = 1.5, 0.2
_MOST_STRIPS = 60
_DEEPEST = 6


@dataclass(slots=True)
class Region:
    """Lines from top to bottom. Those of a ``prose`` column continue each other, those of a grid stand side by side."""

    lines: list[list[Word]]
    prose: bool = False


@dataclass(frozen=True, slots=True)
class _Strip:
    """A strip without words from ``left`` to ``right`` beside the lines from ``first`` to before ``last``."""

    left: float
    right: float
    first: int
    last: int


def lines_of(words: Iterable[Word]) -> list[list[Word]]:
    """Words grouped by their baseline, from top to bottom, each line from left to right."""
    lines: list[list[Word]] = []
    middles: list[float] = []
    heights: list[float] = []
    placed = [((word.top + word.bottom) / 2, word.left, index, word) for index, word in enumerate(words)]
    placed.sort()
    for middle, _, _, word in placed:
        height = word.bottom - word.top
        # Only the last few lines can still take a word: the words come sorted by height.
        for index in range(len(lines) - 1, max(-1, len(lines) - 4), -1):
            tallest = heights[index]
            if abs(middles[index] - middle) < 0.5 * min(tallest, max(height, tallest / 2)):
                lines[index].append(word)
                if height > tallest:
                    heights[index] = height
                break
        else:
            lines.append([word])
            middles.append(middle)
            heights.append(height)
    for line in lines:
        line.sort(key=_left)
    return lines


def _left(word: Word) -> float:
    return word.left


def regions(words: list[Word]) -> list[Region]:
    """The regions of a page in the order in which they are read."""
    if not words:
        return []
    height = statistics.median(word.height for word in words)
    return _split(lines_of(words), max(_GUTTER * height, 1.0), 0)


def _split(lines: list[list[Word]], least: float, depth: int) -> list[Region]:
    if len(lines) < _LEAST_LINES or depth > _DEEPEST:
        return [Region(lines)] if lines else []
    for found in _strips(lines, least):
        strip = _trimmed(found, lines, least)
        left, right = _sides(lines, strip)
        if _are_columns(left, right, least):
            return [
                *_split(lines[: strip.first], least, depth + 1),
                *_column(left, least, depth),
                *_column(right, least, depth),
                *_split(lines[strip.last :], least, depth + 1),
            ]
    return [Region(lines)]


def _column(lines: list[list[Word]], least: float, depth: int) -> list[Region]:
    parts = _split(lines, least, depth + 1)
    if len(parts) == 1:
        parts[0].prose = is_prose(lines)
    return parts


def _strips(lines: list[list[Word]], least: float) -> list[_Strip]:
    """The strips with words on both sides, that of most lines first."""
    open_strips: list[_Strip] = []
    found: list[_Strip] = []
    for number, line in enumerate(lines):
        gaps = _gaps(line, least)
        going_on: dict[tuple[float, float], int] = {}
        for strip in open_strips:
            continued = False
            for start, end in gaps:
                left = strip.left if strip.left > start else start
                right = strip.right if strip.right < end else end
                if right - left >= least:
                    going_on[left, right] = min(strip.first, going_on.get((left, right), number))
                    continued = True
            if not continued:
                found.append(_Strip(strip.left, strip.right, strip.first, number))
        for gap in gaps:
            going_on.setdefault(gap, number)
        open_strips = sorted(
            (_Strip(left, right, first, number) for (left, right), first in going_on.items()),
            key=lambda strip: (strip.first, strip.left - strip.right),
        )[:_MOST_STRIPS]
    found += [_Strip(strip.left, strip.right, strip.first, len(lines)) for strip in open_strips]
    return sorted(
        (
            strip
            for strip in found
            if strip.last - strip.first >= _LEAST_LINES and strip.left > float("-inf") and strip.right < float("inf")
        ),
        key=lambda strip: (strip.first - strip.last, strip.left - strip.right),
    )[:8]


def _trimmed(strip: _Strip, lines: list[list[Word]], least: float) -> _Strip:
    """The strip without lines above and below the columns that stand apart, such as a page number."""
    first, last = strip.first, strip.last
    while last - first > _LEAST_LINES and _distance(lines[last - 2], lines[last - 1]) > _ALONE * least:
        last -= 1
    while last - first > _LEAST_LINES and _distance(lines[first], lines[first + 1]) > _ALONE * least:
        first += 1
    return _Strip(strip.left, strip.right, first, last)


def _distance(above: list[Word], below: list[Word]) -> float:
    return min(word.top for word in below) - max(word.bottom for word in above)


def _gaps(line: list[Word], least: float) -> list[tuple[float, float]]:
    gaps = [(float("-inf"), line[0].left)]
    end = line[0].right
    for word in line[1:]:
        if word.left - end >= least:
            gaps.append((end, word.left))
        end = max(end, word.right)
    gaps.append((end, float("inf")))
    return gaps


def _sides(lines: list[list[Word]], strip: _Strip) -> tuple[list[list[Word]], list[list[Word]]]:
    """The lines on the left of a strip, and those on its right, each by its own baselines."""
    words = [word for line in lines[strip.first : strip.last] for word in line]
    middle = (strip.left + strip.right) / 2
    left = [word for word in words if (word.left + word.right) / 2 < middle]
    right = [word for word in words if (word.left + word.right) / 2 >= middle]
    return lines_of(left), lines_of(right)


def _are_columns(left: list[list[Word]], right: list[list[Word]], least: float) -> bool:
    """Whether the two sides of a strip are read one after the other."""
    if min(len(left), len(right)) < _LEAST_LINES:
        return False
    return _reads_alone(left, least) and _reads_alone(right, least) and not _is_parallel(left, right)


def _reads_alone(lines: list[list[Word]], least: float, depth: int = 0) -> bool:
    """Whether the lines are a column of prose, or several."""
    if is_prose(lines):
        return True
    if depth > 2:
        return False
    for strip in _strips(lines, least)[:2]:
        if strip.last - strip.first >= 0.6 * len(lines):
            left, right = _sides(lines, strip)
            if min(len(left), len(right)) >= _LEAST_LINES:
                return _reads_alone(left, least, depth + 1) and _reads_alone(right, least, depth + 1)
    return False


def has_wide_gap(line: list[Word], wide: float = _JUSTIFIED) -> bool:
    """Whether something stands in the line apart from the rest by more than ``wide``, a part of its height."""
    return any(
        after.left - before.right > wide * min(before.bottom - before.top, after.bottom - after.top)
        for before, after in itertools.pairwise(line)
    )


def is_prose(lines: list[list[Word]]) -> bool:
    """Whether the lines are running text: long, full to the edge of their column, without gaps between cells."""
    if len(lines) < 3:
        return False
    left = min(line[0].left for line in lines)
    widths = [max(word.right for word in line) - left for line in lines]
    column = sorted(widths)[int(0.9 * (len(widths) - 1))]
    texts = ["".join([word.text for word in line]) for line in lines]
    together = "".join(texts)
    if sum(has_wide_gap(line) for line in lines) > _APART * len(lines):
        return False
    letters = sum(map(str.isalpha, together))
    if letters < _LETTERS * len(together):
        return False
    ideographs = 0 if together.isascii() else sum(unicodedata.category(character) == "Lo" for character in together)
    long = _LONG_IDEOGRAPHS if ideographs > letters / 2 else _LONG_LINE
    if statistics.median(len(text) for text in texts) < long:
        return False
    if sum(width >= _REACHED * column for width in widths) < _FILLED * len(lines):
        return False
    if ideographs > letters / 2:
        return True
    starts = [text[0] for text in texts if text[0].isalpha()]
    return sum(start.islower() for start in starts) >= _MIDDLE_OF_SENTENCE * len(lines)


def _is_parallel(left: list[list[Word]], right: list[list[Word]]) -> bool:
    """Whether the blocks of the two sides begin beside each other, as cells of a row do."""
    begins, others = _block_tops(left), _block_tops(right)
    if min(len(begins), len(others)) < 3:
        return False
    height = statistics.median(word.height for line in left for word in line)
    beside = sum(any(abs(top - other) < 0.5 * height for other in others) for top in begins)
    return beside >= _PARALLEL * max(len(begins), len(others))


def _block_tops(lines: list[list[Word]]) -> list[float]:
    """Where blocks of lines begin: after a wider step from line to line than usual."""
    tops = [min(word.top for word in line) for line in lines]
    steps = [below - above for above, below in itertools.pairwise(tops)]
    usual = statistics.median(steps) if steps else 0.0
    return [tops[0], *(top for top, step in zip(tops[1:], steps, strict=True) if step > 1.3 * usual)]
