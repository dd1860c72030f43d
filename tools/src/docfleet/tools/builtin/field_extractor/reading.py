"""A document as its labels see it: what stands beside a label, before it, and below."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from typing import TypeVar

from docfleet.tools.builtin.field_extractor import amounts, dates, labels
from docfleet.tools.builtin.field_extractor.labels import Hit
from docfleet.tools.builtin.field_extractor.locale import Locale

T = TypeVar("T")
Found = tuple[int, int, T]
_BELOW_LINES = 2
_TABLE_LINES = 12
_BELOW_MARGIN = 12
_MAX_LINE = 2000
_MAX_HITS = 30
_COLUMN = re.compile(r"\s{2,}|\t|\|")
BRACKETS = re.compile(r"\([^()\n]{0,60}\)|\[[^\[\]\n]{0,60}\]")


class Reading:
    """The text of a document, its labels and its locale."""

    def __init__(self, text: str, locale: Locale) -> None:
        expanded = text.replace("\f", "\n").replace("\r", "\n").expandtabs(8)
        # A very long line is cut into pieces.
        self.text = re.sub(rf"([^\n]{{{_MAX_LINE}}})(?=[^\n])", r"\1\n", expanded)
        self.locale = locale
        self._amounts: dict[tuple[int, int], list[Found[float]]] = {}
        self._dates: dict[tuple[int, int], list[Found[str]]] = {}
        self.hits = list(self._bounded(labels.hits(self.text)))

    def amounts(self, start: int, end: int) -> Iterator[Found[float]]:
        """The amounts in ``text[start:end]``; those with cents only, where there are any."""
        if (start, end) not in self._amounts:
            found = list(amounts.amounts(self.text, self.locale, start, end))
            with_cents = [item for item in found if re.search(r"\d\D\d{2,3}$", item[0]["number"])]
            self._amounts[start, end] = [(match.start(), match.end(), value) for match, value in with_cents or found]
        yield from self._amounts[start, end]

    def dates(self, start: int, end: int) -> Iterator[Found[str]]:
        """The dates in ``text[start:end]``."""
        if (start, end) not in self._dates:
            found = dates.dates(self.text, self.locale, start, end)
            self._dates[start, end] = [(match.start(), match.end(), value) for match, value in found]
        yield from self._dates[start, end]

    def _bounded(self, hits: list[Hit]) -> Iterator[Hit]:
        """Lines of documents name a few labels. More of them cost time and say nothing."""
        line, count = -1, 0
        for hit in hits:
            number = self.line_number(hit.start)
            line, count = number, (count + 1 if number == line else 0)
            if count < _MAX_HITS:
                yield hit

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def line(self, offset: int) -> tuple[int, int]:
        """Where the line around ``offset`` begins and ends."""
        number = bisect_right(self._line_starts, offset) - 1
        start = self._line_starts[number]
        after = self._line_starts[number + 1] - 1 if number + 1 < len(self._line_starts) else len(self.text)
        return start, after

    def line_number(self, offset: int) -> int:
        """The number of the line around ``offset``, from zero."""
        return bisect_right(self._line_starts, offset) - 1

    def of(self, *fields: str) -> Iterator[Hit]:
        """The labels of these fields, in order."""
        wanted = set(fields)
        return (hit for hit in self.hits if wanted & hit.fields)

    def within(self, start: int, end: int, *fields: str) -> Iterator[Hit]:
        """The labels of these fields that stand in ``text[start:end]``, in order."""
        wanted = set(fields)
        for hit in self.hits[bisect_left(self._hit_starts, start) : bisect_left(self._hit_starts, end)]:
            if wanted & hit.fields and hit.end <= end:
                yield hit

    def before(self, hit: Hit) -> str:
        """What stands before a label in its cell."""
        start, _ = self.line(hit.start)
        before = self.text[start : hit.start]
        # The first half of a compound belongs to the label.
        return _COLUMN.split(re.sub(r"[^\W\d_]+$", "", before) if hit.inside else before)[-1]

    def is_other(self, hit: Hit) -> bool:
        """Whether the words before a label make it one of another document or date: "Original invoice"."""
        cell = hit.start - len(self.before(hit))
        return any(self.within(cell, hit.start, "reference")) or (hit.inside and self._prefix_is_reference(hit))

    def _prefix_is_reference(self, hit: Hit) -> bool:
        word = re.search(r"[^\W\d_]*$", self.text[: hit.start][-40:])
        prefix = labels.fold(word[0]) if word else ""
        return any(prefix.startswith(labels.fold(known)) for known in labels.of_field("reference") if len(known) > 3)

    def rest(self, hit: Hit, *stops: str) -> tuple[int, int]:
        """What stands behind a label in its line, up to the next label of ``stops``."""
        _, end = self.line(hit.start)
        return hit.end, next((other.start for other in self.within(hit.end, end, *stops)), end)

    @cached_property
    def _hit_starts(self) -> list[int]:
        return [hit.start for hit in self.hits]

    def is_cell(self, hit: Hit) -> bool:
        """Whether a label stands alone in its cell, as the heading of a column does."""
        start, end = self.line(hit.start)
        before, after = self.text[start : hit.start], self.text[hit.end : end]
        alone = re.match(r"\s?(?:\([^()]*\))?\s?[:.#]?(?:\s{2}|\s*$)", after)
        return (not before.strip() or before.endswith("  ")) and alone is not None

    def below(self, hit: Hit, values: Callable[[int, int], Iterator[Found[T]]]) -> Found[T] | None:
        """The nearest of the values below a label that overlap its column; ``values`` finds those of a line."""
        return next(self.column(hit, values, _BELOW_LINES), None)

    def column(
        self, hit: Hit, values: Callable[[int, int], Iterator[Found[T]]], lines: int = _TABLE_LINES
    ) -> Iterator[Found[T]]:
        """The values of the lines below a label that overlap its column, the nearest one of each line."""
        first, end = self.line(hit.start)
        left, right = hit.start - first, hit.end - first
        number = self.line_number(end)
        starts = (start for start in self._line_starts[number + 1 :] if self.text[slice(*self.line(start))].strip())
        for start in islice(starts, lines):
            near = [
                found
                for found in values(*self.line(start))
                if found[0] - start < right + _BELOW_MARGIN and found[1] - start > left - _BELOW_MARGIN
            ]
            if near:
                middle = (left + right) / 2
                yield min(near, key=lambda found: abs((found[0] + found[1]) / 2 - start - middle))
