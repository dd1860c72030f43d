"""The OCR engine PP-OCRv6 of PaddleOCR, through faster-paddle, which brings engine and models in one wheel.

It reads the Latin script of most languages, and Chinese.
"""

from __future__ import annotations

import functools
import io
import re
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from docfleet.tools.builtin.text_extractor.layout import arrange
from docfleet.tools.builtin.text_extractor.orientation import is_sideways
from docfleet.tools.builtin.text_extractor.recognized import Recognized, mean_confidence, share
from docfleet.tools.builtin.text_extractor.spacing import words_of
from docfleet.tools.sdk.words import Word

if TYPE_CHECKING:
    from PIL.Image import Image

# Text is looked for in a copy whose longer side has so many pixels, and is read in the picture itself. Beyond A4 at
# 300 dpi the copy grows a little with the picture, in steps: each needs an engine of its own. The limit is one of
# memory: the search needs some 300 bytes for each pixel of the copy.
_SEARCH_PIXELS = 1600
_SEARCH_SCALE = 0.46
_SEARCH_STEP = 400
_LARGEST_SEARCH = 2000
# A larger picture, and a long strip of paper such as a receipt on a roll, is read in parts that overlap by as much as
# the longest word may have.
_LARGEST_PART = 4400
_LONGEST_RATIO = 3.0
_PART_RATIO = 2.0
_OVERLAP = 0.1
_LEAST_OVERLAP = 120
# A smaller picture, such as a single line, is set on a sheet: the search fails at the edges.
_MARGIN = 32
# What is read with less confidence is a pattern, a logo, a row of asterisks.
_LEAST_CONFIDENCE = 0.55
_ALMOST_NUMBER = re.compile(r"\d[\dO]*[.,]?[\dO]+")
_ALMOST_WORD = re.compile(r"[^\W\d_]*(?:[01][^\W\d_]+)+")
_ZERO_IN_WORD = re.compile(r"0(?=[^\W\d_])")
_ONE_IN_WORD = re.compile(r"(?<=[A-Z])1(?=[A-Z])")
_LETTERS_OF_WORD = 4
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " "}
_FIRST_IDEOGRAPH, _LAST_IDEOGRAPH = "\u2e80", "\ufaff"


def read(image: Image, size: str) -> Recognized:
    """The text and words of ``image``, which is grey. ``size`` of the models is tiny or small."""
    found: list[Word] = []
    words: list[Word] = []
    for left, top, right, bottom in _parts(image):
        overlap = max(_LEAST_OVERLAP, int(_OVERLAP * max(right - left, bottom - top)))
        outer = (left - overlap, top - overlap, right + overlap, bottom + overlap)
        across, down = max(outer[0], 0), max(outer[1], 0)
        part = image.crop((across, down, min(outer[2], image.width), min(outer[3], image.height)))
        lines = _lines(part, size)
        found += lines
        for word in _words(lines, part):
            moved = replace(
                word,
                left=word.left + across,
                top=word.top + down,
                right=word.right + across,
                bottom=word.bottom + down,
            )
            # A word belongs to the part in which its middle is; what is cut at the edge of one is complete in another.
            if left <= (moved.left + moved.right) / 2 < right and top <= moved.middle < bottom:
                words.append(moved)
    return Recognized(arrange(words), words, mean_confidence(found), is_sideways(found))


def _words(lines: list[Word], image: Image) -> list[Word]:
    lines = [line for line in lines if (line.confidence or 0.0) >= _LEAST_CONFIDENCE]
    if not _is_ideographic(lines):
        for line in lines:
            line.text = line.text.translate(_FULL_WIDTH)
    words = [word for line in lines for word in words_of(line, image)]
    for word in words:
        word.text = _mended(word.text)
    return words


def preload() -> None:
    """Import the engine. Its models are loaded in each run: an engine has a thread, which a fork would lose."""
    import faster_paddle  # noqa: F401


@functools.lru_cache(maxsize=4)
def _engine(size: str, search_pixels: int) -> Any:
    import faster_paddle

    return faster_paddle.OcrEngine(model_size=size, threads=1, det_max_side=search_pixels, det_min_side=0)


def _lines(image: Image, size: str) -> list[Word]:
    """The lines of text, from top to bottom."""
    import PIL.Image

    sheet = PIL.Image.new("L", (image.width + 2 * _MARGIN, image.height + 2 * _MARGIN), 255)
    sheet.paste(image, (_MARGIN, _MARGIN))
    longest = max(sheet.size)
    side = max(_SEARCH_PIXELS, -int(-longest * _SEARCH_SCALE // _SEARCH_STEP) * _SEARCH_STEP)
    encoded = io.BytesIO()
    sheet.save(encoded, "BMP")
    bounds = _engine(size, min(side, _LARGEST_SEARCH)).ocr(encoded.getvalue())["bounds"]
    lines = []
    for bound in bounds.values():
        (left, top), (right, bottom) = bound["topLeftCoord"], bound["bottomRightCoord"]
        text = str(bound["text"]).strip()
        left, right = (min(max(float(x) - _MARGIN, 0.0), float(image.width)) for x in (left, right))
        top, bottom = (min(max(float(y) - _MARGIN, 0.0), float(image.height)) for y in (top, bottom))
        if text and left < right and top < bottom:
            lines.append(Word(text, left, top, right, bottom, share(float(bound["confidence"]))))
    return lines


def _parts(image: Image) -> list[tuple[int, int, int, int]]:
    """Boxes that cover ``image``, each small enough to be searched at once; most pictures are one."""
    across, down = (-(-side // _LARGEST_PART) for side in image.size)
    if image.height > _LONGEST_RATIO * image.width:
        down = max(down, round(image.height / (_PART_RATIO * image.width)))
    lefts = [image.width * index // across for index in range(across + 1)]
    tops = [image.height * index // down for index in range(down + 1)]
    return [(left, top, right, bottom) for top, bottom in pairwise(tops) for left, right in pairwise(lefts)]


def _mended(text: str) -> str:
    """``text`` with digits instead of the letters that look like them within a number, and the reverse within a word.

    A word has at least four letters and no other digit; a mixture, such as a serial number, stays as it was read.
    """
    if _ALMOST_NUMBER.fullmatch(text):
        return text.replace("O", "0")
    if _ALMOST_WORD.fullmatch(text) and sum(map(str.isalpha, text)) >= _LETTERS_OF_WORD:
        text = _ZERO_IN_WORD.sub("O", text)
        return _ONE_IN_WORD.sub("I", text)
    return text


def _is_ideographic(lines: list[Word]) -> bool:
    text = "".join(line.text for line in lines)
    return 5 * sum(_FIRST_IDEOGRAPH <= character <= _LAST_IDEOGRAPH for character in text) > len(text)
