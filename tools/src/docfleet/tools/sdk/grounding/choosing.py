"""One of several places: the nearest to its label and to its neighbours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from docfleet.core.evidence import MatchKind
from docfleet.tools.sdk.grounding.folding import fold
from docfleet.tools.sdk.grounding.index import WordIndex
from docfleet.tools.sdk.grounding.matching import Match, anywhere

_WORD = re.compile(r"[^\W\d_]+|\d+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_|-")
_STEM = 4
_MAX_LABEL_PLACES = 60
_NEIGHBOURHOOD = 15.0
"""Lines within which it says much that a neighbour is near."""
_OTHER_PAGE = 1.2
_NEAR = 0.5
"""A place that is worse than the best by less than this fits as well as the best."""


class Label:
    """A label, or the name of a field, and where its words stand. Of several labels the first counts that is there."""

    def __init__(self, index: WordIndex, *labels: str) -> None:
        self._index = index
        self.groups: list[tuple[float, list[tuple[int, ...]]]] = []
        for label in labels:
            self._find(label, whole_only=len(labels) > 1)
            if self.groups:
                return
        for label in labels[:1] if len(labels) > 1 else ():
            self._find(label, whole_only=False)

    def _find(self, label: str, *, whole_only: bool) -> None:
        index = self._index
        words = [fold(word) for word in _WORD.findall(_HUMP.sub(" ", label))]
        whole = "".join(words)
        if len(whole) > 1:
            places = [words for words, _ in anywhere(index, whole)]
            if places:
                self.groups.append((2.0 + len(words), places[:_MAX_LABEL_PLACES]))
                if whole_only:
                    return
        for word in () if whole_only else dict.fromkeys(words):
            places_of_word = _like(index, word)
            if places_of_word:
                self.groups.append((1.0 / (1 + len(places_of_word) / 10), places_of_word[:_MAX_LABEL_PLACES]))

    def nearness(self, words: Sequence[int]) -> float:
        """From 0 to 1: how near the label's words are to ``words``, on the side where a label stands."""
        if not self.groups:
            return 0.0
        total = sum(weight for weight, _ in self.groups)
        return sum(weight * max(self._near(place, words) for place in places) for weight, places in self.groups) / total

    def _near(self, label: Sequence[int], words: Sequence[int]) -> float:
        index = self._index
        page = index.page_of(words[0])
        if index.page_of(label[0]) != page:
            return 0.0
        if set(label) & set(words):
            return 0.5
        height = index.heights[page]
        name, value = index.words[label[0]], index.words[words[0]]
        down = (value.middle - name.middle) / height
        across = max(value.left - index.words[label[-1]].right, name.left - index.words[words[-1]].right, 0.0) / height
        if abs(down) < 0.7:
            return 1 / (1 + across / 12)
        if 0 < down < 4 and across < 1:
            return 0.9 / (1 + down / 3)
        # A heading of a column may be far above its values; a label below its value is rare.
        return (0.5 if down > 0 else 0.25) / (1 + abs(down) / 4 + across / 6)


@lru_cache(maxsize=4096)
def _stem(word: str) -> str:
    return word[: max(_STEM, len(word) - 3)]


def _like(index: WordIndex, word: str) -> list[tuple[int, ...]]:
    if len(word) < 2:
        return []
    places: list[tuple[int, ...]] = [(number,) for number in index.by_text.get(word, ())]
    if not places and len(word) >= _STEM:
        stem = _stem(word)
        places = [(number,) for text, found in index.by_text.items() if text.startswith(stem) for number in found]
    return places


_KINDS = {MatchKind.EXACT: 0.0, MatchKind.NORMALISED: 0.3, MatchKind.FUZZY: 1.0}


def badness(match: Match) -> float:
    """How much speaks against a place by itself."""
    return _KINDS[match.kind] + match.penalty


def choose(
    index: WordIndex,
    found: Sequence[Match],
    label: Label | None = None,
    neighbours: Sequence[Sequence[int]] = (),
    used: frozenset[int] | set[int] = frozenset(),
) -> tuple[Match, int]:
    """The best of the places, and how many fit as well. ``neighbours`` are the places of fields beside this one,
    ``used`` words that other fields stand on."""
    if len(found) == 1:
        return found[0], 1
    scored = []
    for order, match in enumerate(found):
        cost = badness(match)
        if label is not None:
            cost -= 3.0 * label.nearness(match.words)
        # A field on the same words says nothing about the place: it may have taken the wrong one.
        others = [each for each in neighbours if not set(each) & set(match.words)]
        if others:
            nearest = min(index.distance(match.words, each) for each in others)
            cost += _OTHER_PAGE if nearest >= 100 else nearest / (nearest + _NEIGHBOURHOOD)
        if used and used.issuperset(match.words):
            cost += 1.0
        cost += index.page_of(match.words[0]) / len(index.pages) + 0.001 * order / len(found)
        scored.append((cost, order, match))
    scored.sort(key=lambda each: each[:2])
    best = scored[0][0]
    return scored[0][2], sum(1 for cost, _, _ in scored if cost < best + _NEAR)
