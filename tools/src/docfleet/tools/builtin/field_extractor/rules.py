"""Plain rules: a field is the text after (or below) a label, or the match of a regular expression."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from docfleet.core.errors import ToolSettingsInvalid
from docfleet.tools.builtin.field_extractor.amounts import amounts, parse_amount, parse_integer
from docfleet.tools.builtin.field_extractor.dates import dates, parse_date
from docfleet.tools.builtin.field_extractor.locale import Locale

Value = str | float | int
_TEXT = re.compile(r"\S+(?: \S+)*")
_BELOW_LINES = 2
_BELOW_MARGIN = 12
# Lines of documents are far shorter and name a label once or twice. Without these bounds a text of only labels
# would take hours.
_MAX_LINE = 2000
_MAX_OCCURRENCES = 20
_BESIDE_CHARACTERS = 500
_AFTER_LABEL = " :.#=-\u2013\t"


@dataclass(frozen=True, slots=True)
class Rule:
    """One field of a workflow. Labels are tried in order."""

    name: str
    type: str
    labels: tuple[str, ...] = ()
    regex: str | None = None
    required: bool = False


def find(rule: Rule, text: str, locale: Locale) -> Value | None:
    """The field's value in ``text``, or None; dates as ``YYYY-MM-DD``. Raises ``ToolSettingsInvalid`` (bad regex)."""
    if rule.regex is not None:
        return _by_regex(rule, text, locale)
    expanded = text.replace("\f", "\n").expandtabs(8)
    lines = list(_lines(expanded))
    for label in rule.labels:
        if _label_pattern(label).search(expanded) is None:
            continue  # most labels are absent, and one search of the text is cheaper than one per line
        occurrences = list(_occurrences(label, lines))
        for index, match in occurrences:
            for _, _, value in _values(rule, lines[index], match.end(), locale):
                return value
        for index, match in occurrences:
            if " " in label or is_a_cell(lines[index], match.start(), match.end()):
                below = _below(rule, lines, index, match, locale)
                if below is not None:
                    return below
    return None


def _by_regex(rule: Rule, text: str, locale: Locale) -> Value | None:
    try:
        match = re.search(rule.regex or "", text, re.MULTILINE)
    except re.error as error:
        raise ToolSettingsInvalid(f"the regex of field {rule.name!r} is not valid: {error}") from error
    if match is None:
        return None
    written = match[1] if match.re.groups else match[0]
    return None if written is None else _parse(rule, written, locale)


def _parse(rule: Rule, written: str, locale: Locale) -> Value | None:
    if rule.type == "amount":
        return parse_amount(written, locale)
    if rule.type == "date":
        return parse_date(written, locale)
    if rule.type == "integer":
        return parse_integer(written)
    return written.strip() or None


@lru_cache(maxsize=1024)
def _label_pattern(label: str) -> re.Pattern[str]:
    words = r"\s{1,2}".join(re.escape(word) for word in label.split())
    before = r"(?<!\w)" if label[:1].isalnum() else ""
    after = r"(?!\w)" if label[-1:].isalnum() else ""
    return re.compile(before + words + after, re.IGNORECASE)


def _occurrences(label: str, lines: list[str]) -> Iterator[tuple[int, re.Match[str]]]:
    """The occurrences of ``label``: line number and match."""
    pattern = _label_pattern(label)
    for index, line in enumerate(lines):
        yield from ((index, match) for match in islice(pattern.finditer(line), _MAX_OCCURRENCES))


def _lines(text: str) -> Iterator[str]:
    """The lines; a very long one is cut into pieces."""
    for line in text.split("\n"):
        for start in range(0, len(line) or 1, _MAX_LINE):
            yield line[start : start + _MAX_LINE]


def is_a_cell(line: str, start: int, end: int) -> bool:
    """Whether ``line[start:end]`` stands alone: a heading of a table, not a word in "copy of the invoice"."""
    before, after = line[:start], line[end:]
    return (not before.strip() or before.endswith("  ")) and re.match(r"\s?[:.#]?(?:\s{2}|\s*$)", after) is not None


def _values(rule: Rule, line: str, start: int, locale: Locale) -> Iterator[tuple[int, int, Value]]:
    """The values of the rule's type in ``line`` from ``start`` on, best first: where each stands, and its value."""
    end = min(len(line), start + _BESIDE_CHARACTERS)
    if rule.type == "date":
        yield from ((match.start(), match.end(), value) for match, value in dates(line, locale, start, end))
    elif rule.type == "amount":
        found = list(amounts(line, locale, start, end))
        # Amounts have cents far more often than not: 12.50 beats the 2 of "2 items".
        found.sort(key=lambda item: not re.search(r"\d[^\d]\d{2}$", item[0]["number"]))
        yield from ((match.start(), match.end(), value) for match, value in found)
    else:
        while start < end and line[start] in _AFTER_LABEL and not re.match(r"-\d", line[start:]):
            start += 1
        for match in _TEXT.finditer(line, start, end):
            value = _parse(rule, match[0], locale)
            if value is not None:
                yield match.start(), match.end(), value


def _below(rule: Rule, lines: list[str], index: int, label: re.Match[str], locale: Locale) -> Value | None:
    """The value below the label, as in a table: the nearest one that overlaps its column."""
    middle = (label.start() + label.end()) / 2
    below = (line for line in lines[index + 1 :] if line.strip())
    for line in islice(below, _BELOW_LINES):
        near = [
            (start, end, value)
            for start, end, value in _values(rule, line, 0, locale)
            if start < label.end() + _BELOW_MARGIN and end > label.start() - _BELOW_MARGIN
        ]
        if near:
            return min(near, key=lambda place: abs((place[0] + place[1]) / 2 - middle))[2]
    return None
