"""The places where a value may stand, and how each is alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from docfleet.core.evidence import MatchKind
from docfleet.tools.sdk.grounding import dates, numbers
from docfleet.tools.sdk.grounding.currencies import SIGNS
from docfleet.tools.sdk.grounding.folding import alike, fold
from docfleet.tools.sdk.grounding.index import Span, WordIndex, WordOrder

Scalar = str | int | float | bool | None

MAX_PLACES = 200
"""The most places of a value that are compared."""
_MAX_VALUE = 4000
"""Characters of a value that are looked for; the rest of a longer one is taken as read."""
_MIN_FUZZY = 5
_MAX_FUZZY_VALUE = 400
_MAX_FUZZY_TEXT = 30_000
_MAX_FUZZY_PAGES = 4
_LEAST_SIMILARITY = 0.8
_MANY_DIGITS = 0.4
_LEAST_COVERED = 0.75
_MAX_PARTS = 24
_PART_DISTANCE = 12.0  # lines
_NUMBER = re.compile(r"[-+(]?\s?\d[\d.,' ]*\)?%?\Z")


@dataclass(slots=True)
class Match:
    """Words that may be the value. ``penalty`` is 0 for the best of its kind."""

    words: tuple[int, ...]
    kind: MatchKind
    penalty: float = 0.0
    similarity: float = 1.0


def matches(index: WordIndex, value: Scalar) -> list[Match]:
    """The places of ``value``: those of the best kind, none twice. Booleans, null and blank text have none."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int | float):
        return _unique(_of_number(index, float(value), repr(value)))
    text = value[:_MAX_VALUE].strip()
    if not text:
        return []
    folded = fold(text)
    if not folded:
        return _unique(_of_marks(index, text))
    found = _unique(_of_text(index, text, folded))
    if found and found[0].kind is MatchKind.EXACT:
        return found
    found = found or _unique(_of_date(index, text)) or _unique(_of_written_number(index, text))
    found = found or _unique(_of_currency(index, text))
    return found or _unique(_in_parts(index, text)) or _unique(_lookalikes(index, folded)) or _fuzzy(index, folded)


def _unique(found: Iterator[Match]) -> list[Match]:
    best: dict[tuple[int, ...], Match] = {}
    for match in found:
        known = best.get(match.words)
        if known is None or match.penalty < known.penalty:
            best[match.words] = match
            if len(best) >= MAX_PLACES:
                break
    return list(best.values())


def _spaced(text: str) -> str:
    return " ".join(text.split())


def quote(index: WordIndex, words: tuple[int, ...]) -> str:
    """The text of words."""
    return " ".join(index.words[word].text for word in words)


# -- text --------------------------------------------------------------------------------------------------


def _of_text(index: WordIndex, text: str, folded: str) -> Iterator[Match]:
    exact, normalised = [], []
    plain = _spaced(text)
    seen = set()
    for reading in index.readings():
        for found, edges in _occurrences(reading, folded):
            words = _with_marks(index, found, plain)
            same = tuple(sorted(words))
            if same in seen:
                continue
            seen.add(same)
            written = quote(index, words)
            if plain in written:
                exact.append(Match(words, MatchKind.EXACT, 0.0 if written == plain else 0.1 + 0.1 * (2 - edges)))
            else:
                penalty = 0.2 * (2 - edges) + (0.0 if plain.casefold() in written.casefold() else 0.1)
                normalised.append(Match(words, MatchKind.NORMALISED, penalty))
        if exact or normalised:
            break
    if not exact and not normalised and not text.isascii():
        # Some files have the letters of right-to-left scripts from left to right.
        for reading in index.readings():
            for words, _ in _occurrences(reading, folded[::-1]):
                normalised.append(Match(words, MatchKind.NORMALISED, 0.3))
    yield from exact or normalised


def _with_marks(index: WordIndex, words: tuple[int, ...], text: str) -> tuple[int, ...]:
    """The words with those between and behind them that have neither letters nor digits, such as a dash."""
    complete = [words[0]]
    for word in words[1:]:
        between = range(complete[-1] + 1, word)
        if 0 < len(between) <= 3 and not any(index.folded[each][0] for each in between):
            complete.extend(between)
        complete.append(word)
    following = complete[-1] + 1
    if (
        not text[-1].isalnum()
        and following < len(index.words)
        and not index.folded[following][0]
        and text.endswith(index.words[following].text)
        and index.page_of(following) == index.page_of(words[0])
    ):
        complete.append(following)
    return tuple(complete)


def _occurrences(reading: WordOrder, folded: str) -> Iterator[tuple[tuple[int, ...], int]]:
    """Where ``folded`` stands from the beginning to the end of words or parts of words; with 2 for whole words."""
    text, word_at, begins = reading.text, reading.word_at, reading.begins
    at = text.find(folded)
    count = 0
    while at >= 0 and count < MAX_PLACES:
        end = at + len(folded)
        first, last = begins[at], begins[end]
        is_whole = first and last
        if is_whole and folded[0].isdigit() and first == 1 and text[at - 1].isdigit():
            is_whole = False  # the 50 of 12.50
        if is_whole and folded[-1].isdigit() and last == 1 and text[end].isdigit():
            is_whole = False
        if is_whole:
            count += 1
            yield tuple(dict.fromkeys(word_at[at:end])), min(first, last)
        at = text.find(folded, at + 1)


def _of_marks(index: WordIndex, text: str) -> Iterator[Match]:
    for number, word in enumerate(index.words):
        if text == word.text:
            yield Match((number,), MatchKind.EXACT)
        elif text in word.text:
            yield Match((number,), MatchKind.EXACT, 0.2)


# -- numbers and dates -------------------------------------------------------------------------------------


def _of_number(index: WordIndex, value: float, written: str) -> Iterator[Match]:
    plain = written.removesuffix(".0").lstrip("-")
    spans = index.figures.get(numbers.key(value), ())
    yield from (_number_match(index, span, plain, value) for span in spans)
    if not spans and value.is_integer():
        year = index.dates.get((int(value), 0, 0), ())
        yield from (Match(span.words, MatchKind.NORMALISED, 0.3) for span in year)
    if not spans and 0 < abs(value) < 1:
        for span in index.figures.get(numbers.key(value * 100), ()):
            if span.figure is not None and span.figure.percent:
                yield Match(span.words, MatchKind.NORMALISED, 0.2)


def _number_match(index: WordIndex, span: Span, plain: str, value: float) -> Match:
    figure = span.figure
    assert figure is not None
    penalty = 0.0 if figure.plain else 0.1
    if value and figure.negative != (value < 0):
        penalty += 0.2
    text = quote(index, span.words)
    if re.search(rf"(?<![\d.,]){re.escape(plain)}(?![\d.,]*\d)", text):
        return Match(span.words, MatchKind.EXACT, penalty)
    return Match(span.words, MatchKind.NORMALISED, penalty + (0.1 if len(text) > 2 * len(plain) + 6 else 0.0))


def _of_written_number(index: WordIndex, text: str) -> Iterator[Match]:
    if not _NUMBER.match(text):
        return
    for figure in numbers.figures(text):
        if figure.end - figure.start >= len(text) - 3:
            value = -figure.value if figure.negative else figure.value
            yield from _of_number(index, value, repr(figure.value))


def _of_date(index: WordIndex, text: str) -> Iterator[Match]:
    date = dates.of_value(text)
    if date is not None:
        places = index.dates.get(date, ())
        yield from (Match(span.words, MatchKind.NORMALISED) for span in places)
        if not places and date[2]:
            # The first date of a period is often written without its year.
            without_year = index.dates.get((0, date[1], date[2]), ())
            yield from (Match(span.words, MatchKind.NORMALISED, 0.3) for span in without_year)
        return
    if len(text) <= 40 and any(character.isdigit() for character in text):
        wanted = {when[2:] for when in dates.dates(text) if when.day and when.end - when.start >= len(text) - 2}
        for each in wanted:
            yield from (Match(span.words, MatchKind.NORMALISED, 0.2) for span in index.dates.get(each, ()))


def _of_currency(index: WordIndex, text: str) -> Iterator[Match]:
    """The sign of a currency for its code."""
    for sign in SIGNS.get(text.upper(), ()):
        for number, word in enumerate(index.words):
            if sign in word.text and (len(word.text) == len(sign) or not sign.isalpha()):
                yield Match((number,), MatchKind.NORMALISED, 0.1 if word.text == sign else 0.2)


# -- nearly ------------------------------------------------------------------------------------------------


def _in_parts(index: WordIndex, text: str) -> Iterator[Match]:
    """A value whose parts stand apart, such as an address of several lines or the cells of a row."""
    for pieces in (re.split(r"\s*[,;/|\n]\s*|\s+[-\u2013]\s+", text), text.split()):
        parts = [part for part in pieces if fold(part)]
        if 2 <= len(parts) <= _MAX_PARTS:
            found = _assembled(index, parts)
            if found is not None:
                yield found
                return


def _assembled(index: WordIndex, parts: list[str]) -> Match | None:
    places = [(part, [words for words, _ in anywhere(index, fold(part))]) for part in parts]
    known = [(part, words) for part, words in places if words]
    covered = sum(len(fold(part)) for part, _ in known) / sum(len(fold(part)) for part in parts)
    if covered < _LEAST_COVERED or len(known) < 2:
        return None
    anchor_part, anchors = min(known, key=lambda each: (len(each[1]), -len(each[0])))
    best: tuple[float, float, tuple[int, ...]] | None = None
    for anchor in anchors[:20]:
        taken, total, reached = list(anchor), 0.0, len(fold(anchor_part))
        for part, words in known:
            if part is anchor_part:
                continue
            nearest = min(words[:50], key=lambda each: index.distance(each, anchor))
            distance = index.distance(nearest, anchor)
            if distance <= _PART_DISTANCE:
                taken.extend(nearest)
                total += distance
                reached += len(fold(part))
        share = reached / sum(len(fold(part)) for part in parts)
        if best is None or (-share, total) < (-best[0], best[1]):
            best = (share, total, tuple(dict.fromkeys(taken)))
    if best is None or best[0] < _LEAST_COVERED or len(best[2]) < 2:
        return None
    whole = best[0] > 0.999
    return Match(tuple(sorted(best[2])), MatchKind.NORMALISED if whole else MatchKind.FUZZY, 0.4, round(best[0], 3))


def anywhere(index: WordIndex, folded: str) -> list[tuple[tuple[int, ...], int]]:
    """The words that are this folded text, and 2 for whole words, in every order of reading."""
    found: dict[tuple[int, ...], int] = {}
    for reading in index.readings():
        for words, edges in _occurrences(reading, folded):
            found.setdefault(words, edges)
        if found:
            break
    return list(found.items())


def _lookalikes(index: WordIndex, folded: str) -> Iterator[Match]:
    """On pages that OCR has read, O and 0, l and 1 and the like count as equal."""
    if len(folded) < 3 or not any(page.by_ocr for page in index.pages):
        return
    wanted = alike(folded)
    for reading in index.alike_texts:
        for words, _ in _occurrences(reading, wanted):
            if index.pages[index.page_of(words[0])].by_ocr:
                yield Match(words, MatchKind.FUZZY, 0.1, 0.95)


def _fuzzy(index: WordIndex, folded: str) -> list[Match]:
    if not _MIN_FUZZY <= len(folded) <= _MAX_FUZZY_VALUE:
        return []
    digits = sum(map(str.isdigit, folded))
    if digits > _MANY_DIGITS * len(folded):
        return []  # a number that is nearly the same is another number
    from rapidfuzz import fuzz

    best: Match | None = None
    least = 100 * _LEAST_SIMILARITY
    left = _MAX_FUZZY_TEXT
    for reading, start, end in index.likely_parts(folded, _MAX_FUZZY_PAGES):
        left -= end - start
        found = fuzz.partial_ratio_alignment(folded, reading.text[start:end], score_cutoff=least) if left > 0 else None
        if found is None or found.score <= least:
            continue
        words = tuple(
            dict.fromkeys(w for w in reading.word_at[start + found.dest_start : start + found.dest_end] if w >= 0)
        )
        if words and _same_digits(folded, reading.text[start + found.dest_start : start + found.dest_end], digits):
            best = Match(words, MatchKind.FUZZY, 0.2, round(found.score / 100, 3))
            least = found.score
    return [best] if best else []


def _same_digits(folded: str, text: str, digits: int) -> bool:
    """The digits of a nearly equal text have to be there all the same."""
    if not digits:
        return True
    wanted = re.findall(r"\d+", folded)
    present = re.findall(r"\d+", text)
    return sum(1 for each in wanted if each in present) * 2 >= len(wanted)
