"""The evidence for a whole result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from docfleet.core.evidence import Box, Evidence
from docfleet.tools.sdk.grounding.choosing import Label, badness, choose
from docfleet.tools.sdk.grounding.index import WordIndex
from docfleet.tools.sdk.grounding.matching import Match, Scalar, matches, quote
from docfleet.tools.sdk.grounding.rows import Row, place_rows

Labels = Mapping[str, Sequence[str]]
MAX_FIELDS = 5000
"""The most values of a result that are looked for; of a longer list the first rows are."""
_MAX_DEPTH = 40
_MAX_QUOTE = 2000
_SURE_PLACES = 3  # a value with no more places than this may help its neighbours


def ground(value: Scalar, words: WordIndex, near: str | None = None) -> Evidence:
    """Where ``value`` stands; ``near`` is its label in the document, or the name of its field."""
    found = matches(words, value)
    if not found:
        return Evidence()
    label = Label(words, near) if near and len(found) > 1 else None
    match, places = choose(words, found, label)
    return evidence(words, match, places)


def ground_result(result: Any, words: WordIndex, labels: Labels | None = None) -> dict[str, Evidence]:
    """The evidence of each scalar of a JSON value, by JSON Pointer; null, booleans and blank text have none.

    ``labels`` are the labels of fields by pointer, where they are known: the first that the document has counts.
    Otherwise the name of a field is its label.
    """
    walk = _Walk(words, labels or {})
    walk.visit(result, "", "", ())
    return walk.found


def count_fields(result: Any) -> int:
    """How many values of a JSON value are looked for when there is room."""
    if isinstance(result, dict):
        return sum(map(count_fields, result.values()))
    if isinstance(result, list):
        return sum(map(count_fields, result))
    return int(_is_looked_for(result))


def _is_looked_for(value: Any) -> bool:
    return not (
        value is None or isinstance(value, bool | dict | list) or (isinstance(value, str) and not value.strip())
    )


def pointer_part(name: str) -> str:
    """A name as a part of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def value_at(result: Any, pointer: str) -> Any:
    """The value that a JSON Pointer names. Raises ``LookupError``."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        result = result[int(name)] if isinstance(result, list) else result[name]
    return result


def evidence(index: WordIndex, match: Match, places: int) -> Evidence:
    """The evidence of a match that was chosen."""
    page = index.page_of(match.words[0])
    shape = index.pages[page]
    words = [index.words[word] for word in match.words]
    boxes: list[Box] = []
    if shape.width > 0:
        for line in dict.fromkeys(index.line_of[word] for word in match.words):
            part = [index.words[word] for word in match.words if index.line_of[word] == line]
            boxes.append(
                Box(
                    round(min(word.left for word in part), 2),
                    round(min(word.top for word in part), 2),
                    round(max(word.right for word in part), 2),
                    round(max(word.bottom for word in part), 2),
                )
            )
    sure = [word.confidence for word in words if word.confidence is not None]
    named = [word.place for word in words if word.place] or [""]
    return Evidence(
        match=match.kind,
        page=page + 1,
        boxes=boxes,
        place=named[0] if named[0] == named[-1] else f"{named[0]} to {named[-1]}",
        quote=quote(index, match.words)[:_MAX_QUOTE],
        places=places,
        similarity=match.similarity,
        ocr_confidence=round(min(sure), 3) if sure else None,
    )


@dataclass
class _Walk:
    index: WordIndex
    labels: Labels
    found: dict[str, Evidence] = field(default_factory=dict)
    _known: dict[Any, list[Match]] = field(default_factory=dict)
    _label_cache: dict[tuple[str, ...], Label] = field(default_factory=dict)

    def visit(self, value: Any, pointer: str, name: str, near: Sequence[int]) -> None:
        """``near``: words that the value belongs to."""
        if len(self.found) >= MAX_FIELDS or pointer.count("/") > _MAX_DEPTH:
            return
        if isinstance(value, dict):
            self._object(value, pointer, near)
        elif isinstance(value, list):
            self._list(value, pointer, name, near)
        elif (places := self._matches(value)) is not None:
            self._scalars([(pointer, name, places)], near)

    def _object(self, value: dict[str, Any], pointer: str, near: Sequence[int]) -> None:
        scalars = []
        for name, item in value.items():
            places = self._matches(item)
            if places is not None:
                scalars.append((f"{pointer}/{pointer_part(name)}", name, places))
        anchor = self._scalars(scalars, near)
        for name, item in value.items():
            if isinstance(item, dict | list):
                self.visit(item, f"{pointer}/{pointer_part(name)}", name, anchor or near)

    def _scalars(self, scalars: Sequence[tuple[str, str, list[Match]]], near: Sequence[int]) -> Sequence[int]:
        """Place the values of one object: those with one place first, the others beside them. Returns the words of
        the surest."""
        chosen: dict[str, Match] = {}
        used: set[int] = set()
        order = sorted(range(len(scalars)), key=lambda at: len(scalars[at][2]))
        placed: list[int] = []
        for at in order:
            pointer, name, places = scalars[at]
            if not places:
                self.found[pointer] = Evidence()
                continue
            label = self._label(pointer, name) if len(places) > 1 else None
            neighbours = [
                chosen[scalars[each][0]].words for each in sorted(placed, key=lambda each: abs(each - at))[:4]
            ]
            match, count = choose(self.index, places, label, neighbours or ([near] if near else []), used)
            chosen[pointer] = match
            used.update(match.words)
            self.found[pointer] = evidence(self.index, match, count)
            if count <= _SURE_PLACES:
                placed.append(at)
        return chosen[scalars[placed[0]][0]].words if placed else ()

    def _list(self, value: list[Any], pointer: str, name: str, near: Sequence[int]) -> None:
        rows: list[tuple[int, Row]] = []
        room = MAX_FIELDS - len(self.found)
        for number, item in enumerate(value):
            places = dict(self._row(item))
            room -= len(places)
            if room < 0:
                break
            if places:
                rows.append((number, Row(places)))
        place_rows(self.index, [row for _, row in rows], near)
        anchors = {}
        for number, row in rows:
            for part in row.places:
                at = f"{pointer}/{number}{part}"
                self.found[at] = evidence(self.index, *row.chosen[part]) if part in row.chosen else Evidence()
            if row.chosen:
                anchors[number] = min(row.chosen.values(), key=lambda each: (each[1], badness(each[0])))[0].words
        for number, item in enumerate(value):
            self._inner(item, f"{pointer}/{number}", name, anchors.get(number, near))

    def _row(self, item: Any) -> Iterator[tuple[str, list[Match]]]:
        """The values of an item by their pointer in it: its own, and those of objects in it."""
        if isinstance(item, dict):
            for name, value in item.items():
                if isinstance(value, dict):
                    yield from ((f"/{pointer_part(name)}{part}", each) for part, each in self._row(value))
                elif (places := self._matches(value)) is not None:
                    yield f"/{pointer_part(name)}", places
        elif (places := self._matches(item)) is not None:
            yield "", places

    def _inner(self, item: Any, pointer: str, name: str, near: Sequence[int]) -> None:
        """The lists in an item of a list."""
        if isinstance(item, list):
            self.visit(item, pointer, name, near)
        elif isinstance(item, dict):
            for key, value in item.items():
                if isinstance(value, dict | list):
                    self._inner(value, f"{pointer}/{pointer_part(key)}", key, near)

    def _matches(self, value: Any) -> list[Match] | None:
        """The places of a value; None for one that is not looked for."""
        if not _is_looked_for(value):
            return None
        key = (type(value) is str, value)
        if key not in self._known:
            self._known[key] = matches(self.index, value)
        return self._known[key]

    def _label(self, pointer: str, name: str) -> Label:
        labels = tuple(self.labels.get(pointer, (name,)))
        if labels not in self._label_cache:
            self._label_cache[labels] = Label(self.index, *labels)
        return self._label_cache[labels]
