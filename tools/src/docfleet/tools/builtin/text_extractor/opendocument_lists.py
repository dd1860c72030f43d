"""The numbers of lists and headings in OpenDocument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from docfleet.tools.builtin.text_extractor.opendocument_names import NAMESPACES, attribute, count
from docfleet.tools.builtin.text_extractor.openxml.numerals import numeral

_KINDS = {"1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
_MAX_LEVELS = 10


@dataclass(frozen=True, slots=True)
class _ListLevel:
    kind: str
    prefix: str
    suffix: str
    start: int
    shown: int
    """How many levels the number names, with those above."""


class Lists:
    """Counts the items of a document's lists in the order in which they are asked for."""

    def __init__(self, *roots: Any) -> None:
        self._styles: dict[str, dict[int, _ListLevel]] = {}
        self._outline: dict[int, _ListLevel] = {}
        for root in roots:
            for style in root.iterfind(".//text:list-style", NAMESPACES):
                self._styles.setdefault(attribute(style, "style:name"), _levels(style))
            for style in root.iterfind(".//text:outline-style", NAMESPACES):
                self._outline = _levels(style)
        self._headings: dict[int, int] = {}
        self._last: dict[str, dict[int, int]] = {}
        self._named: dict[str, dict[int, int]] = {}

    def begin(self, node: Any, style: str) -> dict[int, int]:
        """The counts of a list at the top level: of its own, or those of the list that it continues."""
        continued = attribute(node, "text:continue-list")
        counts: dict[int, int] = {}
        if continued and continued in self._named:
            counts = self._named[continued]
        elif attribute(node, "text:continue-numbering") == "true":
            counts = self._last.get(style, counts)
        self._last[style] = counts
        self._named[node.get("{http://www.w3.org/XML/1998/namespace}id", "")] = counts
        return counts

    def label(self, item: Any, style: str, level: int, counts: dict[int, int]) -> str:
        """The label of the next item; empty for a list without numbers."""
        return _label(self._styles.get(style, {}), level, counts, attribute(item, "text:start-value"))

    def heading(self, node: Any) -> str:
        """The label of the next heading; empty where headings have no numbers."""
        level = count(node, "text:outline-level")
        if level not in self._outline or attribute(node, "text:is-list-header") == "true":
            return ""
        return _label(self._outline, level, self._headings, attribute(node, "text:start-value"))


def _levels(style: Any) -> dict[int, _ListLevel]:
    levels = {}
    for node in style:
        kind = _KINDS.get(attribute(node, "style:num-format"))
        if kind is not None:
            levels[count(node, "text:level")] = _ListLevel(
                kind,
                attribute(node, "style:num-prefix"),
                attribute(node, "style:num-suffix"),
                count(node, "text:start-value"),
                min(count(node, "text:display-levels"), _MAX_LEVELS),
            )
    return levels


def _label(levels: dict[int, _ListLevel], level: int, counts: dict[int, int], start: str) -> str:
    this = levels.get(level)
    first = int(start) if start.isdecimal() else None if level in counts else (this.start if this else 1)
    counts[level] = counts[level] + 1 if first is None else first
    for deeper in [each for each in counts if each > level]:
        del counts[deeper]
    if this is None:
        return ""
    above = range(max(level - this.shown + 1, 1), level + 1)
    numbers = [numeral(counts.get(each, levels[each].start), levels[each].kind) for each in above if each in levels]
    return f"{this.prefix}{'.'.join(numbers)}{this.suffix}"
