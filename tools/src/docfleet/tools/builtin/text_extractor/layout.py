"""Arranges words with positions into text: prose in reading order, the rest in lines that keep columns apart."""

from __future__ import annotations

import itertools
import statistics
import unicodedata

from docfleet.tools.builtin.text_extractor.regions import Region, regions
from docfleet.tools.sdk.words import Word

# The widest space of justified text, as a part of the height of its line.
_JUSTIFIED = 1.5


def is_right_to_left(text: str) -> bool:
    """Whether a good part (a fifth) of the letters of ``text`` belong to a script written from right to left."""
    if text.isascii():
        return False
    strong = [unicodedata.bidirectional(character) for character in text]
    rtl = sum(1 for kind in strong if kind in ("R", "AL"))
    return rtl > 0 and rtl * 4 >= sum(1 for kind in strong if kind == "L")


def arrange(words: list[Word]) -> str:
    """The words as text: columns of prose one after the other; elsewhere one line per row, wide gaps kept as spaces on
    a grid. A wide vertical gap is a blank line.
    """
    words = [word for word in words if word.text]
    if not words:
        return ""
    units = [(word.right - word.left) / len(word.text) for word in words if len(word.text) > 1]
    unit = statistics.median(units) if units else max(words[0].right - words[0].left, 1.0)
    height = statistics.median([word.bottom - word.top for word in words])
    return "\n\n".join(_text(region, max(unit, 0.1), height) for region in regions(words))


def _text(region: Region, unit: float, height: float) -> str:
    origin = min(line[0].left for line in region.lines)
    rows: list[str] = []
    bottom: float | None = None
    for line in region.lines:
        top = min(word.top for word in line)
        if bottom is not None and top - bottom > 0.9 * height:
            rows.append("")
        bottom = max(word.bottom for word in line)
        flows = region.prose and not _has_wide_gap(line)
        rows.append(" ".join(word.text for word in line) if flows else _row(line, origin, unit))
    return "\n".join(rows)


def _has_wide_gap(line: list[Word]) -> bool:
    """Whether something stands in the line apart from the rest; justified text has wide spaces, too."""
    return any(
        after.left - before.right > _JUSTIFIED * min(before.height, after.height)
        for before, after in itertools.pairwise(line)
    )


def _row(line: list[Word], origin: float, unit: float) -> str:
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
