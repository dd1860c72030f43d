"""Arranges words with positions into lines of text that keep columns apart."""

from __future__ import annotations

import statistics
import unicodedata
from collections.abc import Iterable

from docfleet.tools.sdk.words import Word


def is_right_to_left(text: str) -> bool:
    """Whether a good part (a fifth) of the letters of ``text`` belong to a script written from right to left."""
    strong = [unicodedata.bidirectional(character) for character in text]
    rtl = sum(1 for kind in strong if kind in ("R", "AL"))
    return rtl > 0 and rtl * 4 >= sum(1 for kind in strong if kind == "L")


def _lines(words: Iterable[Word]) -> list[list[Word]]:
    """Words grouped by their baseline, from top to bottom."""
    lines: list[list[Word]] = []
    middles: list[float] = []
    heights: list[float] = []
    for word in sorted(words, key=lambda word: (word.middle, word.left)):
        # Only the last few lines can still take a word: the words come sorted by height.
        for index in range(len(lines) - 1, max(-1, len(lines) - 4), -1):
            tallest = heights[index]
            if abs(middles[index] - word.middle) < 0.5 * min(tallest, max(word.height, tallest / 2)):
                lines[index].append(word)
                heights[index] = max(tallest, word.height)
                break
        else:
            lines.append([word])
            middles.append(word.middle)
            heights.append(word.height)
    return lines


def _row(line: list[Word], origin: float, unit: float) -> str:
    line.sort(key=lambda word: word.left)
    if is_right_to_left("".join(word.text for word in line)):
        return " ".join(word.text for word in reversed(line))
    row = ""
    previous: Word | None = None
    for word in line:
        if previous is not None:
            gap = word.left - previous.right
            # Large type has wide spaces, hence its height counts too.
            if gap < max(1.2 * unit, 0.75 * min(word.height, previous.height)):
                row += " "
            else:
                column = round((word.left - origin) / unit)
                row += " " * max(column - len(row), 2)
        else:
            row = " " * max(round((word.left - origin) / unit), 0)
        row += word.text
        previous = word
    return row.rstrip()


def arrange(words: list[Word]) -> str:
    """The words as text: one line per row, wide gaps kept as spaces on a grid, a wide vertical gap as a blank line."""
    words = [word for word in words if word.text]
    if not words:
        return ""
    units = [(word.right - word.left) / len(word.text) for word in words if len(word.text) > 1]
    unit = statistics.median(units) if units else max(words[0].right - words[0].left, 1.0)
    unit = max(unit, 0.1)
    origin = min(word.left for word in words)
    height = statistics.median(word.height for word in words)
    rows: list[str] = []
    bottom: float | None = None
    for line in _lines(words):
        top = min(word.top for word in line)
        if bottom is not None and top - bottom > 0.9 * height:
            rows.append("")
        bottom = max(word.bottom for word in line)
        rows.append(_row(line, origin, unit))
    return "\n".join(rows)
