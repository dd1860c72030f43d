"""The numbers that Word puts before paragraphs: lists, headings, outlines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from docfleet.tools.builtin.text_extractor.openxml.numerals import numeral
from docfleet.tools.builtin.text_extractor.openxml.package import Element, W, is_on, number
from docfleet.tools.builtin.text_extractor.openxml.styles import Styles
from docfleet.tools.builtin.text_extractor.openxml.symbols import unicode_text

_LEVEL = re.compile(r"%([1-9])")
_VALUE = W + "val"
_BULLET = "•"
_LEVELS = 9
_LONGEST = 200  # a number is repeated for each paragraph of a list


@dataclass(slots=True)
class _Level:
    """How the numbers of one level look and count."""

    start: int = 1
    kind: str = "decimal"
    text: str = ""
    is_bullet: bool = False
    is_decimal: bool = False
    is_hidden: bool = False
    restart: int | None = None
    gap: str = " "
    style: str = ""


@dataclass(slots=True)
class _List:
    """The levels of one ``w:num``, and the count that it shares with others of the same definition."""

    definition: str
    levels: dict[int, _Level]
    restarts: dict[int, int] = field(default_factory=dict)
    is_started: bool = False


class Numbering:
    """Counts the numbered paragraphs of a document, in their order."""

    def __init__(self, root: Element | None, styles: Styles) -> None:
        self._styles = styles
        self._definitions: dict[str, Element] = {}
        self._numbers: dict[str, Element] = {}
        self._lists: dict[str, _List | None] = {}
        self._counts: dict[str, dict[int, int]] = {}
        if root is not None:
            self._definitions = {
                each.get(W + "abstractNumId", ""): each for each in root.iterchildren(W + "abstractNum")
            }
            self._numbers = {each.get(W + "numId", ""): each for each in root.iterchildren(W + "num")}

    def label(self, paragraph: Element, style: str) -> tuple[str, bool]:
        """The number of the next paragraph with what separates it from the text, "" for a paragraph without one, and
        whether it is a bullet."""
        found = self._place(paragraph.find(f"{W}pPr/{W}numPr"), style)
        if found is None:
            return "", False
        each, at = found
        counts = self._counts.setdefault(each.definition, {})
        if not each.is_started:
            each.is_started = True
            counts.update({level: start - 1 for level, start in each.restarts.items()})
        level = each.levels.get(at, _Level())
        counts[at] = counts.get(at, level.start - 1) + 1
        for below in [below for below in counts if below > at and self._restarts(each.levels.get(below), below, at)]:
            del counts[below]
        if level.is_hidden:
            return "", False
        if level.is_bullet:
            return f"{level.text}{level.gap}", True
        text = _LEVEL.sub(lambda match: self._number(each, counts, int(match[1]) - 1, level), level.text)
        return (f"{text}{level.gap}" if text else ""), False

    def state(self) -> tuple[dict[str, dict[int, int]], set[str]]:
        """The counts as they are, for ``restore``."""
        started = {name for name, each in self._lists.items() if each is not None and each.is_started}
        return {name: dict(counts) for name, counts in self._counts.items()}, started

    def restore(self, state: tuple[dict[str, dict[int, int]], set[str]]) -> None:
        """Count again from there."""
        self._counts = state[0]
        for name, each in self._lists.items():
            if each is not None:
                each.is_started = name in state[1]

    @staticmethod
    def _restarts(level: _Level | None, below: int, at: int) -> bool:
        if level is None or level.restart is None:
            return True
        return level.restart != 0 and at < level.restart <= below

    @staticmethod
    def _number(each: _List, counts: dict[int, int], at: int, shown_in: _Level) -> str:
        level = each.levels.get(at, _Level())
        return numeral(counts.get(at, level.start), "decimal" if shown_in.is_decimal else level.kind)

    def _place(self, properties: Element | None, style: str) -> tuple[_List, int] | None:
        """The list and the level: of the paragraph itself, else of its style."""
        name = level = None
        if properties is not None:
            name, level = (_value(properties, "numId"), _value(properties, "ilvl"))
        if name is None:
            name, style_level, of_style = self._styles.numbering(style)
            level = style_level if level is None else level
        else:
            of_style = style
        each = self._list(name) if name is not None else None
        if each is None:
            return None
        if level is None:
            named = (at for at, definition in each.levels.items() if definition.style and definition.style == of_style)
            return each, next(named, 0)
        return each, min(max(number(level), 0), _LEVELS - 1)

    def _list(self, name: str) -> _List | None:
        if name not in self._lists:
            self._lists[name] = self._read(self._numbers.get(name))
        return self._lists[name]

    def _read(self, entry: Element | None) -> _List | None:
        definition_name = None if entry is None else _value(entry, "abstractNumId")
        if entry is None or definition_name is None:
            return None
        levels = dict(self._levels(definition_name, 0))
        each = _List(definition_name, levels)
        for override in entry.iterchildren(W + "lvlOverride"):
            at = number(override.get(W + "ilvl"))
            own = override.find(W + "lvl")
            if own is not None:
                levels[at] = _level(own)
            start = _value(override, "startOverride")
            if start is not None:
                each.restarts[at] = number(start, 1)
        return each

    def _levels(self, definition_name: str, depth: int) -> dict[int, _Level]:
        definition = self._definitions.get(definition_name)
        if definition is None:
            return {}
        link = _value(definition, "numStyleLink")
        levels = {number(each.get(W + "ilvl")): _level(each) for each in definition.iterchildren(W + "lvl")}
        if levels or link is None or depth:
            return levels
        linked = self._numbers.get(self._styles.numbering(link)[0] or "")
        other = None if linked is None else _value(linked, "abstractNumId")
        return {} if other is None else self._levels(other, depth + 1)


def _value(element: Element, name: str) -> str | None:
    child = element.find(W + name)
    return None if child is None else child.get(_VALUE)


def _level(element: Element) -> _Level:
    kind = _value(element, "numFmt") or next((each.get(_VALUE) for each in element.iter(W + "numFmt")), "decimal")
    text = (_value(element, "lvlText") or "")[:_LONGEST]
    font = element.find(f"{W}rPr/{W}rFonts")
    level = _Level(
        start=number(_value(element, "start"), 1),
        kind=kind or "decimal",
        text=text,
        is_bullet=kind == "bullet",
        is_decimal=is_on(element.find(W + "isLgl"), _VALUE),
        is_hidden=is_on(element.find(f"{W}rPr/{W}vanish"), _VALUE),
        gap="" if _value(element, "suff") == "nothing" else " ",
        style=_value(element, "pStyle") or "",
    )
    restart = _value(element, "lvlRestart")
    level.restart = None if restart is None else number(restart)
    if level.is_bullet:
        sign = unicode_text(text, "" if font is None else font.get(W + "ascii", "")).strip()
        # A letter in a font of shapes is a bullet, too.
        level.text = _BULLET if not sign or sign.isalnum() or "\ue000" <= sign <= "\uf8ff" else sign
        level.gap = " "
    return level
