"""Places the words of a recognized line by the gaps in its ink."""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from docfleet.tools.sdk.words import Word

if TYPE_CHECKING:
    from PIL.Image import Image

# Widths of characters relative to a usual one: exact ones are not needed, the gaps correct what adds up.
_NARROW, _USUAL, _WIDE, _FULL = 0.55, 1.0, 1.35, 1.9
_NARROW_CHARACTERS = frozenset("iIjlftr1.,:;'`!|()[]{}/\\-\"°·")
_WIDE_CHARACTERS = frozenset("mwMW@%&—ŒÆœæ")
_FIRST_FULL_WIDTH = "\u2e80"  # from here on scripts have square characters
# In widths of a usual character: a gap as wide as the first is a space even where the engine read none; one narrower
# than the second is none, even where it read one.
_SPACE = 1.15
_NO_SPACE = 0.3
# Of the range between ink and paper: what is darker counts as ink.
_INK = 0.25
_LEAST_CONTRAST = 24


Span = tuple[int, int]


def words_of(line: Word, image: Image) -> list[Word]:
    """``line`` cut into its words, each with the part of the box that its ink fills. ``image`` is grey on white."""
    strip = image.crop((round(line.left), round(line.top), round(line.right), round(line.bottom)))
    letters = "".join(line.text.split())
    spans = _spans(_columns(strip))
    if not letters or not spans:
        return _in_proportion(line)
    rows = _spans(_rows(strip)) or [(0, strip.height)]
    top, bottom = line.top + rows[0][0], line.top + rows[-1][1]
    cuts = _cuts(_spaces(line.text), letters, spans)
    starts = [0, *cuts, len(letters)]
    edges = [spans[0][0], *(edge for gap in cuts.values() for edge in gap), spans[-1][1]]
    return [
        Word(letters[a:b], line.left + left, top, line.left + right, bottom, line.confidence)
        for (a, b), left, right in zip(pairwise(starts), edges[::2], edges[1::2], strict=True)
    ]


def _weight(character: str) -> float:
    if character in _NARROW_CHARACTERS:
        return _NARROW
    if character in _WIDE_CHARACTERS:
        return _WIDE
    return _FULL if character >= _FIRST_FULL_WIDTH else _USUAL


def _columns(strip: Image) -> bytes:
    """How dark the ink in each column is."""
    import PIL.Image

    # Averages of a few rows tell ink from specks; the darkest of them keeps commas and hyphens.
    width, rows = strip.width, max(1, strip.height // 4)
    levels = strip.resize((width, rows), PIL.Image.Resampling.BOX).tobytes()
    return bytes(map(min, zip(*(levels[row * width : (row + 1) * width] for row in range(rows)), strict=True)))


def _rows(strip: Image) -> bytes:
    """How dark the ink in each row is."""
    import PIL.Image

    columns = max(1, strip.width // 8)
    levels = strip.resize((columns, strip.height), PIL.Image.Resampling.BOX).tobytes()
    return bytes(min(levels[row * columns : (row + 1) * columns]) for row in range(strip.height))


def _spans(levels: bytes) -> list[Span]:
    """Begin and end of each run of ink."""
    if not levels:
        return []
    paper, ink = sorted(levels)[len(levels) * 19 // 20], min(levels)
    if paper - ink < _LEAST_CONTRAST:
        return []
    limit = paper - _INK * (paper - ink)
    spans: list[Span] = []
    start: int | None = None
    for index, level in enumerate(levels):
        if level < limit and start is None:
            start = index
        elif level >= limit and start is not None:
            spans.append((start, index))
            start = None
    if start is not None:
        spans.append((start, len(levels)))
    return spans


def _cuts(spaces: list[int], letters: str, spans: list[Span]) -> dict[int, Span]:
    """The gap before each letter that begins a word, in their order.

    Most letters are one span each; then it is known which letter stands behind a gap. Where some touch or are broken,
    it is an estimate, and the spaces of the text or the kinds of letters decide.
    """
    usual = sum(right - left for left, right in spans) / sum(map(_weight, letters))
    gaps = [(a[1], b[0]) for a, b in pairwise(spans)]
    widths = [right - left for left, right in gaps]
    rate, slack = len(letters) / len(spans), min(abs(len(letters) - len(spans)) + 1, 4)
    exact = len(letters) == len(spans)
    cuts: dict[int, Span] = {}
    for index, width in enumerate(widths):
        if width < _SPACE * usual:
            continue
        letter = index + 1 if exact else round((index + 1) * rate)
        near = [
            place
            for place in range(max(letter - slack, 1), min(letter + slack + 1, len(letters)))
            if place not in cuts and (place in spaces or _may_part(letters, place))
        ]
        if exact:
            near = [place for place in near if place == letter]
        if near:
            cuts[min(near, key=lambda place: (place not in spaces, abs(place - letter)))] = gaps[index]
    for space in spaces:
        if space in cuts:
            continue
        nearest = min(max(round(space / rate), 1), len(spans) - 1) - 1
        if exact and widths[nearest] < max(_NO_SPACE * usual, min(_NO_SPACE * 2 * usual, 1.25 * median(widths))):
            continue
        reach = range(nearest, nearest + 1) if exact else range(max(nearest - 1, 0), min(nearest + 2, len(gaps)))
        free = [index for index in reach if gaps[index] not in cuts.values()]
        if not free:
            return _spread(spaces, letters, spans)
        cuts[space] = gaps[max(free, key=lambda index: widths[index])]
    ordered = dict(sorted(cuts.items()))
    return ordered if list(ordered.values()) == sorted(ordered.values()) else _spread(spaces, letters, spans)


def _may_part(letters: str, place: int) -> bool:
    """Whether a word may begin at ``place`` where the engine read no space: at a change of the kind of letters, and not
    within a number.
    """
    before, after = letters[place - 1], letters[place]
    if before in ".,:" and place > 1 and letters[place - 2].isdigit() and after.isdigit():
        return False
    if after in ".,:;!?)]}%":
        return False
    return before in ",:;)]}.%" or after in "([{@" or before.isalpha() != after.isalpha()


def _spread(spaces: list[int], letters: str, spans: list[Span]) -> dict[int, Span]:
    """Cuts without a gap, where the usual widths of the letters put them."""
    left, right = spans[0][0], spans[-1][1]
    unit = (right - left) / (sum(map(_weight, letters)) + len(spaces))
    cuts = {}
    for count, space in enumerate(spaces):
        at = left + unit * (sum(map(_weight, letters[:space])) + count)
        cuts[space] = (round(at), round(at + unit))
    return cuts


def _spaces(text: str) -> list[int]:
    """The letters (counted without blanks) before which the text has a space."""
    found, count = [], 0
    for part in text.split()[:-1]:
        count += len(part)
        found.append(count)
    return found


def _in_proportion(line: Word) -> list[Word]:
    """The words of the line, the box divided by the usual widths of characters."""
    total = sum(_USUAL if character == " " else _weight(character) for character in line.text.strip())
    unit = (line.right - line.left) / max(total, _NARROW)
    words: list[Word] = []
    left = line.left
    for part in line.text.split():
        right = left + unit * sum(map(_weight, part))
        words.append(Word(part, left, line.top, right, line.bottom, line.confidence))
        left = right + unit * _USUAL
    return words
