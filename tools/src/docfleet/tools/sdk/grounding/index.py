"""The index of a document's words: made once, asked for every value of a result."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median

from docfleet.tools.sdk.grounding import dates, numbers
from docfleet.tools.sdk.grounding.folding import alike, fold_word, is_hebrew, mend_hebrew
from docfleet.tools.sdk.grounding.numbers import Figure
from docfleet.tools.sdk.words import MAX_WORDS, Page, Word, words_of_text

_SAME_LINE = 0.5  # of the smaller height: how far apart the middles of two words of a line may be
_WIDE_GAP = 1.5  # of the height: what separates two columns
_LINE_GAP = 1.9  # of the height: the farthest that a line of the same paragraph may be
_MAX_FIGURES_A_LINE = 400
_BREAK = "\0"
_FLAGS = [b"\2" + bytes(max(length - 1, 0)) for length in range(64)]


@dataclass(slots=True)
class Line:
    """Words that stand side by side, from left to right. ``page`` is an index from 0."""

    page: int
    words: list[int]
    middle: float
    height: float


@dataclass(slots=True)
class WordOrder:
    """Words in an order in which they may be read, as one folded string."""

    text: str
    word_at: list[int]
    """The word of each character; -1 between two parts that do not belong together."""
    begins: bytearray
    """2 where a word begins, 1 where a part of a word begins, at each character."""


@dataclass(slots=True)
class Span:
    """Some words where a value may stand."""

    words: tuple[int, ...]
    figure: Figure | None = None


@dataclass
class WordIndex:
    """The words of a document. All positions are indexes into ``words``; pages count from 0 here."""

    pages: Sequence[Page]
    words: list[Word] = field(default_factory=list)
    first_word: list[int] = field(default_factory=list)
    """The first word of each page."""

    def __post_init__(self) -> None:
        for page in self.pages:
            self.first_word.append(len(self.words))
            self.words.extend((page.words or words_of_text(page.text))[: MAX_WORDS - len(self.words)])

    @cached_property
    def folded(self) -> list[tuple[str, tuple[int, ...]]]:
        """The folded form of each word, see ``fold_word``."""
        found: list[tuple[str, tuple[int, ...]]] = []
        for page in range(len(self.pages)):
            texts = [self.words[word].text for word in self.words_of(page)]
            if is_hebrew(texts):
                texts = [mend_hebrew(text) for text in texts]
            found.extend(fold_word(text) for text in texts)
        return found

    def page_of(self, word: int) -> int:
        """The page of a word."""
        return bisect_right(self.first_word, word) - 1

    def words_of(self, page: int) -> range:
        """The words of a page, in the order in which they were read."""
        following = self.first_word[page + 1] if page + 1 < len(self.first_word) else len(self.words)
        return range(self.first_word[page], following)

    @cached_property
    def lines(self) -> list[Line]:
        """The lines of all pages, from top to bottom."""
        return [line for page in range(len(self.pages)) for line in self._lines_of(page)]

    @cached_property
    def line_of(self) -> list[int]:
        """The index of each word's line."""
        lines_ = [0] * len(self.words)
        for number, line in enumerate(self.lines):
            for word in line.words:
                lines_[word] = number
        return lines_

    @cached_property
    def heights(self) -> list[float]:
        """The usual height of a line, by page: the unit of distances."""
        usual = []
        for page in range(len(self.pages)):
            heights = [self.words[word].height for word in self.words_of(page)]
            usual.append(max(median(heights), 0.1) if heights else 1.0)
        return usual

    def _numbered(self, page: int) -> Iterator[tuple[int, Word]]:
        return ((number, self.words[number]) for number in self.words_of(page))

    def _lines_of(self, page: int) -> list[Line]:
        lines: list[Line] = []
        order = sorted((word.top + word.bottom, word.left, at) for at, word in self._numbered(page))
        for twice, _, number in order:
            word = self.words[number]
            middle, height = twice / 2, word.bottom - word.top
            for line in reversed(lines[-4:]):
                near = line.height if line.height < height else max(height, line.height / 2)
                if abs(line.middle - middle) < _SAME_LINE * near:
                    line.words.append(number)
                    line.height = max(line.height, height)
                    break
            else:
                lines.append(Line(page, [number], middle, max(height, 0.1)))
        for line in lines:
            line.words.sort(key=lambda each: self.words[each].left)
        return lines

    def readings(self) -> Iterator[WordOrder]:
        """As the reader gave them, line by line, and column by column; each is made when it is asked for."""
        yield self.as_read
        yield self.by_line
        yield self.by_column

    @cached_property
    def as_read(self) -> WordOrder:
        """The words of each page in the order in which they were read."""
        return self._reading([list(self.words_of(page)) for page in range(len(self.pages))])

    @cached_property
    def by_line(self) -> WordOrder:
        """The words of each page line by line."""
        order: list[list[int]] = [[] for _ in self.pages]
        for line in self.lines:
            order[line.page].extend(line.words)
        return self._reading(order)

    @cached_property
    def by_column(self) -> WordOrder:
        """The words of each block: lines below one another, each cut at wide gaps."""
        return self._reading([block for block in self._columns() if len(block) > 1])

    def _reading(self, parts: Iterable[list[int]]) -> WordOrder:
        texts: list[str] = []
        word_at: list[int] = []
        begins = bytearray()
        for part in parts:
            for number in part:
                text, starts = self.folded[number]
                if not text:
                    continue
                texts.append(text)
                word_at += [number] * len(text)
                begins += _FLAGS[len(text)] if len(text) < len(_FLAGS) else b"\2" + bytes(len(text) - 1)
                for start in starts:
                    begins[start - len(text)] = 1
            texts.append(_BREAK)
            word_at.append(-1)
            begins.append(2)
        return WordOrder("".join(texts), word_at, begins)

    def _columns(self) -> Iterable[list[int]]:
        """Blocks of lines below one another, each cut at wide gaps: the cells of a table, the columns of a page."""
        open_: list[tuple[float, float, float, int, list[int]]] = []  # left, right, middle, page, words
        done: list[list[int]] = []
        for line in self.lines:
            height = self.heights[line.page]
            kept = []
            for chain in open_:
                if chain[3] != line.page or line.middle - chain[2] > _LINE_GAP * height:
                    done.append(chain[4])
                else:
                    kept.append(chain)
            open_ = kept
            higher = line.middle - 0.3 * height
            for segment in self._segments(line):
                left, right = self.words[segment[0]].left, max(self.words[each].right for each in segment)
                above = [chain for chain in open_ if chain[0] < right and left < chain[1] and chain[2] < higher]
                if above:
                    best = max(above, key=lambda chain: min(chain[1], right) - max(chain[0], left))
                    open_.remove(best)
                    best[4].extend(segment)
                    open_.append((min(left, best[0]), max(right, best[1]), line.middle, line.page, best[4]))
                else:
                    open_.append((left, right, line.middle, line.page, list(segment)))
        return [*done, *(chain[4] for chain in open_)]

    def _segments(self, line: Line) -> list[list[int]]:
        segments = [[line.words[0]]]
        for number in line.words[1:]:
            gap = self.words[number].left - self.words[segments[-1][-1]].right
            if gap > _WIDE_GAP * min(line.height, 3 * self.heights[line.page]):
                segments.append([])
            segments[-1].append(number)
        return segments

    @cached_property
    def _line_texts(self) -> list[tuple[str, list[int]]]:
        """The text of each line, and where each word begins in it."""
        texts = []
        for line in self.lines:
            starts, at = [], 0
            for word in line.words:
                starts.append(at)
                at += len(self.words[word].text) + 1
            texts.append((" ".join(self.words[word].text for word in line.words), starts))
        return texts

    def _span(self, line: int, start: int, end: int) -> tuple[int, ...]:
        starts = self._line_texts[line][1]
        return tuple(self.lines[line].words[bisect_right(starts, start) - 1 : bisect_right(starts, end - 1)])

    @cached_property
    def figures(self) -> dict[float, list[Span]]:
        """Where each number stands, by its ``numbers.key``."""
        found: dict[float, list[Span]] = {}
        for number, (text, _) in enumerate(self._line_texts):
            for count, figure in enumerate(numbers.figures(text)):
                if count == _MAX_FIGURES_A_LINE:
                    break
                span = Span(self._span(number, figure.start, figure.end), figure)
                found.setdefault(numbers.key(figure.value), []).append(span)
        return found

    @cached_property
    def dates(self) -> dict[tuple[int, int, int], list[Span]]:
        """Where each date stands: year, month, day, with day 0 for a month and both 0 for a year."""
        found: dict[tuple[int, int, int], list[Span]] = {}
        for number, (text, _) in enumerate(self._line_texts):
            for when in dates.dates(text):
                span = Span(self._span(number, when.start, when.end))
                found.setdefault(when[2:], []).append(span)
                found.setdefault((when.year, 0, 0), []).append(span)
        return found

    @cached_property
    def by_text(self) -> dict[str, list[int]]:
        """The words by their folded text."""
        found: dict[str, list[int]] = {}
        for number, (folded, _) in enumerate(self.folded):
            found.setdefault(folded, []).append(number)
        return found

    def distance(self, one: Sequence[int], other: Sequence[int]) -> float:
        """How far apart two groups of words are, in lines; sideways counts a quarter, another page a hundred."""
        first, second = self.words[one[0]], self.words[other[0]]
        page, other_page = self.page_of(one[0]), self.page_of(other[0])
        if page != other_page:
            return 100.0 + abs(page - other_page)
        height = self.heights[page]
        down = abs(first.middle - second.middle) / height
        last, other_last = self.words[one[-1]], self.words[other[-1]]
        across = max(second.left - last.right, first.left - other_last.right, 0.0) / height
        return math.hypot(down, across / 4)

    @cached_property
    def alike_texts(self) -> list[WordOrder]:
        """The first two readings with characters that OCR confuses made equal."""
        return [
            WordOrder(alike(reading.text), reading.word_at, reading.begins) for reading in (self.as_read, self.by_line)
        ]

    @cached_property
    def _page_bounds(self) -> list[tuple[WordOrder, list[tuple[int, int]]]]:
        """For the reading by the reader and the one by lines: the bounds of each page."""
        found = []
        for reading in (self.as_read, self.by_line):
            bounds, at = [], 0
            while at < len(reading.text):
                end = reading.text.index(_BREAK, at)
                bounds.append((at, end))
                at = end + 1
            found.append((reading, bounds))
        return found

    def likely_parts(self, folded: str, pages: int) -> list[tuple[WordOrder, int, int]]:
        """The bounds of the pages that have most of the text in pieces, the best first."""
        size = 4
        pieces = {folded[at : at + size] for at in range(0, max(len(folded) - size, 1), 3)}
        scored: list[tuple[int, int, WordOrder, int, int]] = []
        for reading, bounds in self._page_bounds:
            for start, end in bounds:
                score = sum(1 for piece in pieces if reading.text.find(piece, start, end) >= 0)
                if score * 3 >= len(pieces):
                    scored.append((score, -len(scored), reading, start, end))
        scored.sort(key=lambda each: each[:2], reverse=True)
        return [each[2:] for each in scored[:pages]]
