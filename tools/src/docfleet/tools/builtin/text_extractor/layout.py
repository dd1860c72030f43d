"""Arranges words with positions into text: prose in reading order, the rest in lines that keep columns apart."""

from __future__ import annotations

import itertools
import statistics
import unicodedata
from collections.abc import Iterator

from docfleet.tools.builtin.text_extractor.regions import Region, has_wide_gap, regions
from docfleet.tools.builtin.text_extractor.tables import Table, continued, is_close, tables
from docfleet.tools.sdk.words import Word

# What stands this far from a line of prose is no part of it; a part of its height.
_ASIDE = 2.5


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
    for line, text in _rows(region, origin, unit, height):
        top = min(word.top for word in line)
        if bottom is not None and top - bottom > 0.9 * height:
            rows.append("")
        elif rows:
            rows[-1], text = _unbroken(rows[-1], text)
        bottom = max(word.bottom for word in line)
        rows.append(text)
    return "\n".join(rows)


def _unbroken(row: str, following: str) -> tuple[str, str]:
    """Two rows of running text, with the word that is broken between them in the first."""
    flows = "  " not in row.strip() and "  " not in following.strip()
    if not flows or not following.lstrip()[:1].islower():
        return row, following
    first, _, rest = following.lstrip().partition(" ")
    together = continued(row, first)
    return (row, following) if together is None or not rest else (together, rest)


def _rows(region: Region, origin: float, unit: float, height: float) -> Iterator[tuple[list[Word], str]]:
    """The rows of a region, each with its text."""
    if region.prose:
        for line in region.lines:
            yield line, _row(line, origin, unit) if has_wide_gap(line, _ASIDE) else " ".join(word.text for word in line)
        return
    found = tables(region.lines, unit, height)
    last = 0
    for table in found:
        yield from ((line, _row(line, origin, unit)) for line in region.lines[last : table.first])
        yield from zip(_words_of(table), _table_rows(table, origin, unit), strict=True)
        last = table.last
    yield from ((line, _row(line, origin, unit)) for line in region.lines[last:])


def _words_of(table: Table) -> list[list[Word]]:
    return [[cell for _, cell in row] for row in table.rows]


def _table_rows(table: Table, origin: float, unit: float) -> list[str]:
    """The rows of a table on a grid; a column moves to the right where joined lines need more room before it."""
    columns = sorted({column for row in table.rows for column, _ in row})
    texts = [""] * len(table.rows)
    moved = 0
    for column in columns:
        here = [
            (number, round((cell.left - origin) / unit), cell.text)
            for number, row in enumerate(table.rows)
            for at, cell in row
            if at == column
        ]
        moved = max([moved, *(len(texts[number]) + 2 - place for number, place, _ in here if texts[number])])
        for number, place, text in here:
            least = len(texts[number]) + 2 if texts[number] else 0
            texts[number] = texts[number].ljust(max(place + moved, least)) + text
    return texts


def _row(line: list[Word], origin: float, unit: float) -> str:
    if is_right_to_left("".join([word.text for word in line])):
        return _right_to_left(line, unit)
    row = ""
    previous: Word | None = None
    for word in line:
        column = max(round((word.left - origin) / unit), 0)
        if previous is None:
            row = " " * column
        elif is_close(previous, word, unit):
            row += " "
        else:
            row += " " * max(column - len(row), 2)
        row += word.text
        previous = word
    return row.rstrip()


def _right_to_left(line: list[Word], unit: float) -> str:
    """The words of a line in the order in which they are read; those of Latin script among them run rightwards."""
    row = ""
    previous: Word | None = None
    for rightwards, run in itertools.groupby(reversed(line), lambda word: not _has_right_to_left(word.text)):
        words = list(run)
        for word in reversed(words) if rightwards else words:
            if previous is not None:
                left, right = sorted((previous, word), key=lambda word: word.left)
                row += " " if is_close(left, right, unit) or rightwards else "  "
            row += word.text
            previous = word
    return row


def _has_right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)
