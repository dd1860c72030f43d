"""Turns pictures that were scanned on their side, upside down or askew."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from docfleet.tools.sdk.words import Word

if TYPE_CHECKING:
    from PIL.Image import Image

Back = Callable[[Word], Word]

# A line of text this many times higher than wide, and of at least so many characters, runs upwards or downwards.
_UPRIGHT_RATIO = 1.5
_LINE_CHARACTERS = 3
# The skew is looked for in a small copy, first in steps of a degree, then around the best of them.
_SKEW_PIXELS = 700
_COARSE = tuple(range(-12, 13))
_FINE = (-0.75, -0.5, -0.25, 0.25, 0.5, 0.75)
_LEAST_SKEW = 0.4
# How much sharper the lines of a turned picture have to be, so that a picture without lines is left as it is.
_SHARPER = 1.15


def is_sideways(lines: Iterable[Word]) -> bool:
    """Whether most of the text runs upwards or downwards."""
    level = upright = 0
    for line in lines:
        if len(line.text) < _LINE_CHARACTERS:
            continue
        if line.height > _UPRIGHT_RATIO * (line.right - line.left):
            upright += len(line.text)
        else:
            level += len(line.text)
    return upright > level


def turned(image: Image, degrees: float) -> tuple[Image, Back]:
    """``image`` turned counter-clockwise, and what puts the box of a word back to where it is in ``image``."""
    import PIL.Image

    result = image.rotate(degrees, PIL.Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    radians = math.radians(degrees)
    cosine, sine = math.cos(radians), math.sin(radians)
    middle, centre = (result.width / 2, result.height / 2), (image.width / 2, image.height / 2)

    def back(word: Word) -> Word:
        across, down = [], []
        for x, y in (
            (word.left, word.top),
            (word.right, word.top),
            (word.left, word.bottom),
            (word.right, word.bottom),
        ):
            x, y = x - middle[0], y - middle[1]
            across.append(centre[0] + x * cosine - y * sine)
            down.append(centre[1] + x * sine + y * cosine)
        return replace(
            word,
            left=max(min(across), 0.0),
            top=max(min(down), 0.0),
            right=min(max(across), float(image.width)),
            bottom=min(max(down), float(image.height)),
        )

    return result, back


def skew(image: Image) -> float:
    """By how many degrees ``image`` (grey) has to be turned so that its lines are level; 0 where it has none, or they
    are.
    """
    small = image.copy()
    small.thumbnail((_SKEW_PIXELS, _SKEW_PIXELS))
    level = _sharpness(small, 0)
    best = max(_COARSE, key=lambda degrees: _sharpness(small, degrees))
    fine = max((best, *(best + step for step in _FINE)), key=lambda degrees: _sharpness(small, degrees))
    if abs(fine) < _LEAST_SKEW or _sharpness(small, fine) < _SHARPER * level:
        return 0.0
    return -float(fine)


def _sharpness(image: Image, degrees: float) -> float:
    """How much the darkness of neighbouring rows differs when the rows rise by this angle."""
    import PIL.Image

    slope = math.tan(math.radians(degrees))
    # Shearing is enough for a small angle. The upper and lower margins stay out, where rows leave the picture.
    lift = slope * image.width / 2
    sheared = image.transform(image.size, PIL.Image.Transform.AFFINE, (1, 0, 0, -slope, 1, lift), fillcolor=255)
    margin = int(abs(lift)) + 1
    if image.height <= 2 * margin + 2:
        return 0.0
    rows = sheared.crop((0, margin, image.width, image.height - margin)).resize(
        (1, image.height - 2 * margin), PIL.Image.Resampling.BOX
    )
    levels = rows.tobytes()
    return sum((a - b) ** 2 for a, b in itertools.pairwise(levels)) / len(levels)
