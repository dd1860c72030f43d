"""The words of a PDF page with their places, gathered from its characters."""

from __future__ import annotations

import ctypes
import functools
import math
import re
import sys
import textwrap
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from docfleet.tools.sdk.words import Word

if TYPE_CHECKING:
    import pypdfium2 as pdfium

UNREADABLE = "\ufffd"
# PDFium uses these for a hyphen at a line end, and for characters it does not know.
_NOISE = {0xFFFE: "-", 0x02: "-", 0xFEFF: "", 0xFFFF: "", 0x00: "", 0x200B: "", 0x2060: ""}
_SOFT_HYPHEN = "\u00ad"
_LATIN_LIGATURES = range(0xFB00, 0xFB07)
# The usual signs of symbol fonts, whose codes have no meaning of their own.
_SYMBOLS = {0xF0A7: "•", 0xF0B7: "•", 0xF0D8: "•", 0xF06E: "•", 0xF0FC: "✓", 0xF0FE: "☑", 0xF0A8: "☐", 0xF06F: "☐"}
_BLANK = frozenset((0x20, 0xA0, 0x09, 0x0A, 0x0D))
# Text that leans by up to this many degrees is a line of a page that was scanned askew.
_ASKEW = 2
# Copies of a word that stand apart by less than this part of its height are one word in fake bold, or its shadow.
_SHADOW = 0.2
# A word is compared with so many of the same text, at most: a page may be nothing but dots.
_MOST_COPIES = 100
# Letters of one word stand apart by less than this part of their height; the second is for letters that PDFium parts.
_APART, _TOUCHING = 0.18, 0.05
# Type in a form: its size in points, and the width of a letter as a part of that.
_TYPED_POINTS, _LETTER = 12.0, 0.5
# A font in which more than this share of the letters have no character has lost its characters.
_MUTE = 0.1

_Box = tuple[float, float, float, float]


@dataclass(slots=True)
class Direction:
    """The words that run in one direction. Their boxes are in a frame that is turned so that the text runs rightwards.

    ``degrees`` is that direction on the page as it is shown, counterclockwise; 0 is upright text.
    """

    degrees: int
    words: list[Word] = field(default_factory=list)
    doubtful: list[Word] = field(default_factory=list)
    """Those of ``words`` whose font does not say which characters its glyphs are."""
    starts: dict[int, int] = field(default_factory=dict)
    """The number of the first character of each word on the page, by the identity of the word."""

    @property
    def characters(self) -> int:
        """How many visible characters run in this direction."""
        return sum(len(word.text) for word in self.words)

    def placed(self) -> list[Word]:
        """The words with their boxes on the page as it is shown, in points from its upper left corner."""
        if self.degrees == 0:
            return self.words
        return [Word(word.text, *_turned_back(word, self.degrees)) for word in self.words]


def tidy(text: str) -> str:
    """``text`` as PDFium returns it, without its marks, with plain line ends, and each character in one piece."""
    plain = whole_characters(text.replace("\r\n", "\n").replace("\r", "\n").translate(_NOISE))
    if _SOFT_HYPHEN in plain:
        plain = without_soft_hyphens(plain)
    return "".join(character if character in "\t\n" else _character(ord(character)) for character in plain)


def whole_characters(text: str) -> str:
    """``text`` with pairs of surrogates joined to the character that they mean; half a pair is U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@functools.lru_cache(maxsize=4096)
def _character(code: int) -> str:
    """The character of a code of PDFium; empty for one that has no text, U+FFFD for one that has no meaning."""
    known = _NOISE.get(code, _SYMBOLS.get(code))
    if known is not None:
        return known
    if code in _LATIN_LIGATURES:
        return unicodedata.normalize("NFKC", chr(code))
    if 0x80 <= code < 0xA0:
        # Nobody draws control characters: these are codes of Windows, such as its euro sign.
        return bytes((code,)).decode("cp1252", "replace")
    if code > sys.maxunicode or unicodedata.category(chr(code)) in ("Cc", "Cn", "Co"):
        return UNREADABLE
    return chr(code)


def directions(page: pdfium.PdfPage, textpage: pdfium.PdfTextPage) -> list[Direction]:
    """The words of the page by the direction in which they run, that of most characters first."""
    import pypdfium2.raw as raw

    rotation = page.get_rotation()
    frames = {0: _shown(page)}
    groups: dict[int, Direction] = {}
    current: Word | None = None
    before: _Box = (0.0, 0.0, 0.0, 0.0)
    degrees, last, parted = 0, "", False
    loose = raw.FS_RECTF()
    handle = textpage.raw
    code_of, box_of, is_generated = raw.FPDFText_GetUnicode, raw.FPDFText_GetLooseCharBox, raw.FPDFText_IsGenerated
    for index in range(textpage.count_chars()):
        code = code_of(handle, index)
        if code in _BLANK:
            # PDFium guesses blanks, too: one between glyphs that touch parts no word.
            parted = True
            if not is_generated(handle, index):
                current = None
            continue
        character = _character(code)
        if not character or not box_of(handle, index, loose):
            continue
        bounds = (loose.left, loose.bottom, loose.right, loose.top)
        box = frames[degrees](*bounds)
        if current is not None:
            if character == last and _is_drawn_again(character, box, before):
                continue
            if not _continues(current, box, before, character, _TOUCHING if parted else _APART):
                current = None
        if current is None:
            turn = _degrees(raw.FPDFText_GetCharAngle(handle, index), rotation)
            if turn != degrees:
                degrees = turn
                box = frames.setdefault(turn, _turning(frames[0], turn))(*bounds)
            group = groups.setdefault(degrees, Direction(degrees))
            current = Word("", *box)
            if current.top > current.bottom:
                # Some fonts state their height upside down.
                current.top, current.bottom = current.bottom, current.top
            group.words.append(current)
            group.starts[id(current)] = index
            if raw.FPDFText_HasUnicodeMapError(handle, index):
                group.doubtful.append(current)
        current.text += character
        if box[2] > current.right:
            current.right = box[2]
        if box[0] < current.left:
            current.left = box[0]
        before, last, parted = box, character, False
    for group in groups.values():
        _finish(group)
    return sorted(groups.values(), key=lambda group: -group.characters)


def of_mute_fonts(textpage: pdfium.PdfTextPage, runs: list[Direction]) -> set[int]:
    """The identities of the words in fonts of which a good part is doubtful: what looks like text there is none."""
    import pypdfium2.raw as raw

    fonts: dict[int, int] = {}
    letters: dict[int, int] = {}
    doubtful: dict[int, int] = {}
    for run in runs:
        in_doubt = {id(word) for word in run.doubtful}
        for word in run.words:
            if id(word) not in run.starts:
                continue
            item = raw.FPDFText_GetTextObject(textpage, run.starts[id(word)])
            font = ctypes.cast(raw.FPDFTextObj_GetFont(item), ctypes.c_void_p).value or 0 if item else 0
            fonts[id(word)] = font
            letters[font] = letters.get(font, 0) + len(word.text)
            if id(word) in in_doubt:
                doubtful[font] = doubtful.get(font, 0) + len(word.text)
    return {word for word, font in fonts.items() if doubtful.get(font, 0) > _MUTE * letters[font]}


def _finish(group: Direction) -> None:
    for word in group.words:
        word.text = whole_characters(word.text)
        if _SOFT_HYPHEN in word.text:
            word.text = without_soft_hyphens(word.text)
    # A single sign without a meaning is a bullet or a logo.
    group.words = _once([word for word in group.words if word.text != UNREADABLE])
    unmapped = {id(word) for word in group.doubtful if len(word.text) > 1}
    group.doubtful = [
        word for word in group.words if id(word) in unmapped or (UNREADABLE in word.text and len(word.text) > 1)
    ]


def without_soft_hyphens(text: str) -> str:
    """``text`` without soft hyphens in words. Some programs write them for the usual hyphen, and at the end of a line
    one is drawn: then it is a hyphen.
    """
    parts = text.split(_SOFT_HYPHEN)
    result = parts[0]
    for part in parts[1:]:
        result += part if part[:1].islower() and result[-1:].isalpha() else "-" + part
    return result


def _degrees(clockwise: float, page_rotation: int) -> int:
    """The direction of a character on the page as it is shown. ``clockwise`` is PDFium's angle in radians."""
    turn = round(-math.degrees(clockwise)) - page_rotation
    upright = round(turn / 90) * 90
    return (upright if abs(turn - upright) <= _ASKEW else turn) % 360


def _shown(page: pdfium.PdfPage) -> Callable[[float, float, float, float], _Box]:
    """From a box in the space of the page (left, bottom, right, top) to one on the page as it is shown."""
    left, bottom, right, top = page.get_bbox()
    rotation = page.get_rotation()
    if rotation == 90:
        return lambda x0, y0, x1, y1: (y0 - bottom, x0 - left, y1 - bottom, x1 - left)
    if rotation == 180:
        return lambda x0, y0, x1, y1: (right - x1, y0 - bottom, right - x0, y1 - bottom)
    if rotation == 270:
        return lambda x0, y0, x1, y1: (top - y1, right - x1, top - y0, right - x0)
    return lambda x0, y0, x1, y1: (x0 - left, top - y1, x1 - left, top - y0)


def _turning(
    shown: Callable[[float, float, float, float], _Box], degrees: int
) -> Callable[[float, float, float, float], _Box]:
    return lambda *bounds: _turned(shown(*bounds), degrees)


def _turned(box: _Box, degrees: int) -> _Box:
    """The box of a character in the frame in which text of this direction runs rightwards."""
    left, upper, right, lower = box
    if degrees == 0:
        return box
    if degrees == 90:
        return (-lower, left, -upper, right)
    if degrees == 180:
        return (-right, -lower, -left, -upper)
    if degrees == 270:
        return (upper, -right, lower, -left)
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = (left + right) / 2, (upper + lower) / 2
    along, down = x * cosine - y * sine, x * sine + y * cosine
    width, height = _unbounded(right - left, abs(lower - upper), abs(cosine), abs(sine))
    return (along - width / 2, down - height / 2, along + width / 2, down + height / 2)


def _unbounded(across: float, high: float, cosine: float, sine: float) -> tuple[float, float]:
    """Width and height of the leaning box whose upright bounds are ``across`` and ``high``."""
    spread = cosine * cosine - sine * sine
    if abs(spread) < 0.2:
        # Near 45 degrees the bounds of a wide and of a tall box are the same: this is an ordinary letter's shape.
        both = (across + high) / (cosine + sine)
        return both * 0.3, both * 0.7
    return (across * cosine - high * sine) / spread, (high * cosine - across * sine) / spread


def _turned_back(word: Word, degrees: int) -> _Box:
    """The bounds on the page of a word in a turned frame."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [(x, y) for x in (word.left, word.right) for y in (word.top, word.bottom)]
    across = [x * cosine + y * sine for x, y in corners]
    down = [y * cosine - x * sine for x, y in corners]
    return (min(across), min(down), max(across), max(down))


def _continues(word: Word, box: _Box, before: _Box, character: str, gap: float) -> bool:
    """Whether a character in ``box`` belongs to ``word``, whose last character has the box ``before``.

    ``gap`` is the part of its height by which it may stand apart.
    """
    start, upper, end, lower = box
    size = abs(lower - upper)
    if abs(word.top + word.bottom - upper - lower) >= 0.6 * (size if size > 1 else 1):
        return False
    if -0.5 * size < start - word.right < gap * size:
        return True
    if start == before[0] and end == before[2]:
        return True  # the letters of a ligature share one box
    return _is_leftward(character) and -0.5 * size < word.left - end < gap * size


def _is_leftward(character: str) -> bool:
    """Whether the script of ``character`` runs from right to left: Hebrew, Arabic and their neighbours."""
    return "\u0590" <= character <= "\u08ff" or "\ufb1d" <= character <= "\ufeff"


def _is_drawn_again(character: str, box: _Box, before: _Box) -> bool:
    """Whether the same glyph, drawn in the box ``before``, is drawn a second time a hair beside it, to look bold."""
    width, height = before[2] - before[0], before[3] - before[1]
    near = abs(box[0] - before[0]) < min(0.5 * width, _SHADOW * height) and abs(box[1] - before[1]) < _SHADOW * height
    # Both letters of the ligature "ff" have the very same box.
    return near and not (box == before and character == "f")


def _once(words: list[Word]) -> list[Word]:
    """The words without those that are drawn again over themselves."""
    kept: list[Word] = []
    places: dict[str, list[Word]] = {}
    for word in words:
        same = places.setdefault(word.text, [])
        near = _SHADOW * word.height
        if any(
            abs(word.left - other.left) < near and abs(word.top - other.top) < near for other in same[-_MOST_COPIES:]
        ):
            continue
        same.append(word)
        kept.append(word)
    return kept


def written(text: str, page: pdfium.PdfPage, bounds: _Box, degrees: int) -> list[Word]:
    """The words of ``text`` in the box ``bounds`` of the page, in the frame of text that runs at ``degrees``.

    ``bounds`` is left, bottom, right, top in the space of the page. What is typed into a form carries no places of its
    own, so that ordinary type that fills the box from its upper left corner is assumed.
    """
    left, upper, right, lower = _turned(_shown(page)(*bounds), degrees)
    width, height = max(right - left, 1.0), max(lower - upper, 1.0)
    letter = _LETTER * min(_TYPED_POINTS, height)
    lines = [
        wrapped for line in text.split("\n") for wrapped in (textwrap.wrap(line, max(int(width / letter), 8)) or [""])
    ]
    if len(lines) * _TYPED_POINTS > 1.2 * height:
        lines = text.split("\n") if height >= _TYPED_POINTS else [" ".join(text.split())]
    pitch = min(height / len(lines), 1.25 * _TYPED_POINTS)
    if len(lines) == 1:
        upper += (height - pitch) / 2
    words: list[Word] = []
    for number, line in enumerate(lines):
        step = min(letter, width / max(len(line), 1))
        top = upper + number * pitch
        for match in re.finditer(r"\S+", line):
            start, end = left + match.start() * step, left + match.end() * step
            words.append(Word(match[0], start, top, end, top + pitch))
    return words
