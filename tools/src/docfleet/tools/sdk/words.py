"""Words with their places on the pages of a document, and the file ``WORDS`` that carries them to later tools."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import msgspec

VERSION = 1
MAX_WORDS = 500_000
"""The most words of a document that are kept with their places; later ones are left out."""

_CODES = {8: "H", 16: "I"}
"""Types of the four numbers of a box, by the bytes of the box: the short one where it is fine enough."""
_COARSEST = 0.1
_FARTHEST = 1e8
_UNSURE = 255  # no confidence: text of the document itself
_SURE = 200


@dataclass(slots=True)
class Word:
    """A run of text and its box; ``top`` grows downwards, all in one unit."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    confidence: float | None = None
    """How sure OCR is, from 0 to 1; None for text of the document itself."""
    place: str = ""
    """A position of another kind, such as a cell (``B7``) or a line (``line 12``); on pages without a shape."""

    @property
    def height(self) -> float:
        """Height of the box."""
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """Vertical centre of the box."""
        return (self.top + self.bottom) / 2


@dataclass(slots=True)
class Page:
    """The text of a page (sheet, slide, chapter), and where its words stand, if that is known.

    The boxes are in points of the page as it is shown (rotation resolved), from its upper left corner; ``width`` and
    ``height`` are 0 for a page without a shape, and its boxes then only say what stands beside and below what.
    """

    text: str
    words: list[Word] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0
    by_ocr: bool = False
    name: str = ""
    """The name of a sheet, slide or chapter."""


def words_of_text(text: str) -> list[Word]:
    """The words of a text without pages: a box counts characters and lines, a place names the line."""
    words = []
    for number, line in enumerate(text.expandtabs(8).split("\n"), start=1):
        at = 0
        for part in line.split():
            at = line.index(part, at)
            words.append(Word(part, at, number, at + len(part), number + 1, place=f"line {number}"))
            at += len(part)
    return words


def words_of_cells(rows: Iterable[tuple[int, Mapping[int, str]]]) -> list[Word]:
    """One word for each cell of a sheet, as many as are kept; its place is named as in a workbook (``B7``). ``rows``
    are their numbers and their texts by column, both from 1."""
    words = (
        Word(text, column, row, column + 0.8, row + 0.8, place=f"{_column_name(column)}{row}")
        for row, cells in rows
        for column, text in sorted(cells.items())
    )
    return list(islice(words, MAX_WORDS))


def _column_name(column: int) -> str:
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


class _PackedPage(msgspec.Struct, array_like=True):
    """The words of a page in columns. Boxes are four numbers a word, of two bytes, or four on a very long page, in
    steps of ``unit``."""

    width: float
    height: float
    by_ocr: bool
    name: str
    unit: float
    texts: str
    boxes: bytes
    confidences: bytes
    places: list[str]


class _PackedWords(msgspec.Struct, array_like=True):
    version: int
    pages: list[_PackedPage]


def pack(pages: Sequence[Page]) -> bytes:
    """The words of ``pages`` as MessagePack: about 14 bytes a word. A page that has text and no words gets those of
    its lines."""
    packed = []
    left = MAX_WORDS
    for page in pages:
        words = (page.words or words_of_text(page.text))[:left]
        left -= len(words)
        packed.append(_packed(page, words))
    return msgspec.msgpack.encode(_PackedWords(VERSION, packed))


def unpack(raw: bytes) -> list[Page]:
    """The pages with their words, without their text. Raises ``ValueError`` for anything else."""
    try:
        packed = msgspec.msgpack.decode(raw, type=_PackedWords)
        if packed.version != VERSION:
            raise ValueError(f"version {packed.version} of the words is not known")
        return [_unpacked(page) for page in packed.pages]
    except (msgspec.DecodeError, IndexError) as error:
        raise ValueError(f"the words cannot be read: {error}") from error


def load(path: Path) -> list[Page]:
    """The pages in the file ``path``; none when it is missing. Raises ``ValueError``."""
    try:
        return unpack(path.read_bytes())
    except FileNotFoundError:
        return []


def _packed(page: Page, words: Sequence[Word]) -> _PackedPage:
    # Broken files have boxes without end, or that are no numbers at all.
    numbers = [
        number if -_FARTHEST < number < _FARTHEST else 0.0
        for word in words
        for number in (word.left, word.top, word.right, word.bottom)
    ]
    extent = max(*numbers, 1.0) if numbers else 1.0
    code = "H" if extent / 65535 <= _COARSEST else "I"
    steps = 65535 if code == "H" else 2**32 - 1
    unit = extent / steps
    scale = 1 / unit
    # A box may reach over the rim of its page.
    boxes = array(code, [min(max(int(number * scale + 0.5), 0), steps) for number in numbers])
    if sys.byteorder == "big":
        boxes.byteswap()
    sure = any(word.confidence is not None for word in words)
    return _PackedPage(
        width=round(page.width, 3),
        height=round(page.height, 3),
        by_ocr=page.by_ocr,
        name=_storable(page.name),
        unit=unit,
        texts=_storable("\n".join(word.text.replace("\n", " ") for word in words)),
        boxes=boxes.tobytes(),
        confidences=bytes(map(_confidence_code, words)) if sure else b"",
        places=[_storable(word.place) for word in words] if any(word.place for word in words) else [],
    )


def _storable(text: str) -> str:
    # A lone surrogate (from a broken PDF) has no UTF-8 form.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _unpacked(packed: _PackedPage) -> Page:
    texts = packed.texts.split("\n") if packed.boxes else []
    count = len(texts)
    boxes = array(_CODES.get(len(packed.boxes) // max(count, 1), "H"))
    if len(packed.boxes) % boxes.itemsize:
        raise ValueError("the boxes of the words are cut off")
    boxes.frombytes(packed.boxes)
    if sys.byteorder == "big":
        boxes.byteswap()
    if len(boxes) != 4 * count or len(packed.confidences) not in (0, count) or len(packed.places) not in (0, count):
        raise ValueError("words and boxes differ in number")
    unit = packed.unit
    page = Page("", width=packed.width, height=packed.height, by_ocr=packed.by_ocr, name=packed.name)
    page.words = [
        Word(text, boxes[at] * unit, boxes[at + 1] * unit, boxes[at + 2] * unit, boxes[at + 3] * unit)
        for text, at in zip(texts, range(0, 4 * count, 4), strict=True)
    ]
    for word, code in zip(page.words, packed.confidences, strict=False):
        word.confidence = None if code == _UNSURE else code / _SURE
    for word, place in zip(page.words, packed.places, strict=False):
        word.place = place
    return page


def _confidence_code(word: Word) -> int:
    return _UNSURE if word.confidence is None else round(min(max(word.confidence, 0.0), 1.0) * _SURE)
