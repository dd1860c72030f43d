"""Workbooks: the cells as they are shown, and what lies over them."""

from __future__ import annotations

import datetime
import re
import string
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from pathlib import Path

from docfleet.core.errors import CorruptFile
from docfleet.tools.builtin.text_extractor.document import SEND_AGAIN, Document, ReadOptions
from docfleet.tools.builtin.text_extractor.openxml.drawing import drawn
from docfleet.tools.builtin.text_extractor.openxml.number_format import BUILT_IN, GENERAL, shown
from docfleet.tools.builtin.text_extractor.openxml.package import (
    Budget,
    Element,
    Package,
    elements,
    is_on,
    number,
    opened,
    text_of,
)
from docfleet.tools.sdk.words import Page, Word, words_of_cells

_WHAT = "the workbook"
# A sheet that is wider than this is written without its empty columns.
_WIDE = 100
_EMPTY = "[this sheet has no cells with content]"
_MISSING = "[this sheet is missing in the file]"
_COLUMN_LETTERS = 3
_LETTERS = string.ascii_letters + "$"
# A number that is kept as a workbook shows it when nothing else is asked for.
_PLAIN = re.compile(r"-?(?:0|[1-9]\d{0,9})(?:\.\d{0,3}[1-9])?\Z")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
# Where it lies if nothing says so.
_STRINGS = "xl/sharedStrings.xml"
_WHITE = re.compile(r"[\r\n\t\v\f]+")
# Codes of a printed header: its three thirds, fonts, sizes, colours, and what the program fills in.
_HEADER_CODE = re.compile(r'&(?:"[^"]*"|K[0-9A-Fa-f]{6}|K\d\d[+-]\d{3}|\d+|[A-Z&])')
_DAYS_START = datetime.datetime(1899, 12, 30)


@dataclass(slots=True)
class _Book:
    """What the cells of all sheets refer to."""

    strings: list[str]
    formats: list[str]
    is_1904: bool
    budget: Budget


@dataclass(slots=True)
class _Sheet:
    """Rows by number, each with its texts by column; then lines that stand outside of the cells."""

    rows: list[tuple[int, dict[int, str]]] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


def read_workbook(path: Path, reading: ReadOptions) -> Document:
    """One page per sheet, cells separated by tabs. Of several empty rows one is kept, and a wide sheet is written
    without its empty columns. Then texts of drawings, charts and comments. The text of an empty sheet says that it is
    empty.

    Raises ``CorruptFile``, ``FileTooLarge``, ``PasswordRequired``.
    """
    pages: list[Page] = []
    names: list[str] = []
    hidden: list[str] = []
    with opened(path, _WHAT, reading) as package:
        main = package.main()
        root = package.xml(main)
        properties = root.find("{*}workbookPr")
        is_1904 = "date1904" in ({} if properties is None else properties.attrib) and is_on(properties, "date1904")
        book = _Book(_strings(package, main), _formats(package, main), is_1904, Budget(_WHAT, reading))
        sheets = root.findall("{*}sheets/{*}sheet")
        if not any(package.target(main, sheet) for sheet in sheets):
            raise CorruptFile(f"the workbook lacks its sheets, so it cannot be read: {SEND_AGAIN}")
        texts: dict[str | None, list[str]] = {None: [_MISSING]}
        words: dict[str | None, list[Word]] = {}
        for entry in sheets:
            name = entry.get("name", "")
            names.append(name)
            if entry.get("state", "visible") != "visible":
                hidden.append(name)
            part = package.target(main, entry)
            if part in texts:
                book.budget.spend(sum(map(len, texts[part])))
            elif part is not None:
                texts[part], words[part] = _read_sheet(package, part, book)
            lines = texts[part]
            text = "\n".join([f"Sheet: {name}", *(lines or [_EMPTY])])
            pages.append(Page(text, words.get(part, []), name=name))
            reading.progress(len(pages), len(sheets))
    return Document(pages, {"sheets": names} | ({"hidden_sheets": hidden} if hidden else {}))


def _strings(package: Package, main: str) -> list[str]:
    part = package.related(main, "sharedStrings") or _STRINGS
    if part not in package:
        return []
    with package.open(part) as stream:
        return [_string(item) for item in elements(stream, "si")]


def _string(item: Element) -> str:
    """The text of a string with formatted runs, without the phonetic guides of East Asian words."""
    runs = (run if run.tag.endswith("}t") else run.find("{*}t") for run in item.iterchildren("{*}t", "{*}r"))
    text = "".join(text_of(run) for run in runs if run is not None)
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def _formats(package: Package, main: str) -> list[str]:
    """The number format of each style. Nothing else of the styles matters, so nothing else in them can be wrong."""
    root = package.xml_if_sound(package.related(main, "styles"))
    if root is None:
        return []
    own = {number(entry.get("numFmtId")): entry.get("formatCode") or GENERAL for entry in root.iter("{*}numFmt")}
    known = BUILT_IN | own
    styles = (number(style.get("numFmtId")) for style in root.iterfind("{*}cellXfs/{*}xf"))
    return [known.get(style, GENERAL) for style in styles]


def _read_sheet(package: Package, part: str, book: _Book) -> tuple[list[str], list[Word]]:
    """The lines of a sheet, and its cells as words with their names; what lies over the cells has no place."""
    sheet = _Sheet()
    with package.open(part) as stream:
        for element in elements(stream, "row", "mergeCell", "headerFooter"):
            if element.tag.endswith("}row"):
                _add_row(sheet, element, book)
            elif element.tag.endswith("}mergeCell"):
                _merge(sheet, element.get("ref", ""), book)
            else:
                sheet.outside += _header_lines(element)
    drawing = package.related(part, "drawing")
    root = package.xml_if_sound(drawing)
    if drawing is not None and root is not None:
        sheet.outside += filter(str.strip, drawn(package, drawing, root))
    sheet.outside += _comments(package, part)
    outside = list(dict.fromkeys(sheet.outside))
    below = sheet.rows[-1][0] + 2 if sheet.rows else 1
    words = words_of_cells(sheet.rows)
    words += [Word(line, 1, below + at, 1.8, below + at + 0.8) for at, line in enumerate(outside)]
    return [*_table(sheet.rows, book), *outside], words


def _add_row(sheet: _Sheet, row: Element, book: _Book) -> None:
    at = number(row.get("r")) or (sheet.rows[-1][0] + 1 if sheet.rows else 1)
    cells: dict[int, str] = {}
    column = 0
    for cell in row.iterchildren("{*}c"):
        column = _column(cell.get("r")) or column + 1
        if text := _WHITE.sub(" ", _cell(cell, book)).strip(" "):
            cells[column] = text
            book.budget.spend(len(text))
    if cells:
        sheet.rows.append((at, cells))


def _merge(sheet: _Sheet, area: str, book: _Book) -> None:
    """Take away what stands in the covered cells of a merged one: a file may have it, no program shows it."""
    first, _, last = area.partition(":")
    left, right = _column(first), _column(last)
    top, bottom = (number(corner.lstrip(_LETTERS)) for corner in (first, last))
    start = bisect_left(sheet.rows, top, key=itemgetter(0))
    end = bisect_right(sheet.rows, bottom, key=itemgetter(0))
    book.budget.spend(max(end - start, 0))
    for at, cells in sheet.rows[start:end]:
        covered = [column for column in cells if left <= column <= right and (at, column) != (top, left)]
        for column in covered if top <= at <= bottom else ():  # rows may stand in any order
            del cells[column]


def _column(reference: str | None) -> int:
    """1 for A1, 27 for AA1; 0 where the cell does not say."""
    return _column_of((reference or "").replace("$", "").rstrip("0123456789"))


@lru_cache(maxsize=1024)
def _column_of(letters: str) -> int:
    if not (letters.isascii() and letters.isalpha() and len(letters) <= _COLUMN_LETTERS):
        return 0
    column = 0
    for letter in letters.upper():
        column = column * 26 + ord(letter) - 64
    return column


def _cell(cell: Element, book: _Book) -> str:
    kind = cell.get("t", "n")
    text = ""
    for child in cell.iterchildren("{*}*"):
        if child.tag.endswith("}v"):
            text = text_of(child).strip() if kind != "str" else text_of(child)
        elif kind == "inlineStr" and child.tag.endswith("}is"):
            return _string(child)
    if kind == "s":
        at = number(text, -1)
        return book.strings[at] if 0 <= at < len(book.strings) else ""
    if kind == "b":
        return {"1": "TRUE", "0": "FALSE"}.get(text, text).upper()
    if kind in ("str", "e"):
        return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text
    style = number(cell.get("s"), -1)
    code = book.formats[style] if 0 <= style < len(book.formats) else GENERAL
    if not text or (code == GENERAL and _PLAIN.match(text)):
        return text
    return _number_shown(text, code, kind == "d", book.is_1904)


@lru_cache(maxsize=4096)
def _number_shown(text: str, code: str, is_date: bool, is_1904: bool) -> str:
    value = _days(text, is_1904=is_1904) if is_date else _float(text)
    return text if value is None else shown(value, code, is_1904=is_1904)


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _days(text: str, *, is_1904: bool) -> float | None:
    """A date in ISO 8601, as the strict variant has them, in the days of the others."""
    try:
        when = datetime.datetime.fromisoformat(text.strip()).replace(tzinfo=None)
    except ValueError:
        return None
    return (when - _DAYS_START) / datetime.timedelta(days=1) - (1462 if is_1904 else 0)


def _table(rows: list[tuple[int, dict[int, str]]], book: _Book) -> Iterator[str]:
    columns = sorted({column for _, cells in rows for column in cells})
    if columns and columns[-1] <= _WIDE:
        columns = list(range(1, columns[-1] + 1))
    book.budget.spend(len(rows) * len(columns))
    last = 0
    for at, cells in rows:
        if last and at > last + 1:
            yield ""
        last = at
        yield "\t".join([cells.get(column, "") for column in columns]).rstrip("\t")


def _header_lines(element: Element) -> Iterator[str]:
    """What the sheet has above and below it when it is printed, without page numbers and the like."""
    for part in element.iterchildren("{*}*"):
        for piece in re.split(r"&[LCR]", text_of(part)):
            text = _WHITE.sub(" ", _HEADER_CODE.sub(lambda code: "&" if code[0] == "&&" else "", piece)).strip()
            if any(character.isalpha() for character in text):
                yield text


def _comments(package: Package, part: str) -> Iterator[str]:
    threaded: set[str] = set()
    for name in package.all_related(part, "threadedComment"):
        thread = package.xml_if_sound(name)
        for comment in () if thread is None else thread.iterchildren("{*}threadedComment"):
            threaded.add(comment.get("ref", ""))
            yield _comment(comment.get("ref", ""), comment.findtext("{*}text") or "")
    root = package.xml_if_sound(package.related(part, "comments"))
    for comment in () if root is None else root.iter("{*}comment"):
        text = comment.find("{*}text")
        if text is not None and comment.get("ref", "") not in threaded:  # what older programs see of a thread
            yield _comment(comment.get("ref", ""), _string(text))


def _comment(reference: str, text: str) -> str:
    return f"Comment ({reference}): {' '.join(text.split())}"
