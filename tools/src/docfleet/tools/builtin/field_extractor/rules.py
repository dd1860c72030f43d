"""Plain rules: a field is the text after (or below) a label, or the match of a regular expression."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from docfleet.core.errors import ToolSettingsInvalid
from docfleet.tools.builtin.field_extractor.values import (
    DATE,
    NUMBER,
    Locale,
    parse_amount,
    parse_date,
    parse_integer,
)

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
    """One field. Labels are tried in order; ``value`` narrows what counts, ``skip`` drops lines that mean another."""

    name: str
    type: str
    labels: tuple[str, ...] = ()
    regex: str | None = None
    required: bool = False
    value: re.Pattern[str] | None = None
    skip: re.Pattern[str] | None = None
    last: bool = False


def find(rule: Rule, text: str, locale: Locale) -> Value | None:
    """The field's value in ``text``, or None; dates as ``YYYY-MM-DD``. Raises ``ToolSettingsInvalid`` (bad regex)."""
    if rule.regex is not None:
        return _by_regex(rule, text, locale)
    expanded = text.replace("\f", "\n").expandtabs(8)
    lines = list(_lines(expanded))
    for label in rule.labels:
        if _label_pattern(label).search(expanded) is None:
            continue  # most labels are absent, and one search of the text is cheaper than one per line
        occurrences = list(_occurrences(rule, label, lines))
        beside = (_first(rule, _beside(lines[index], match), locale) for index, match in occurrences)
        matches = [value for value in beside if value is not None]
        if not matches:
            below = (
                _below(rule, lines, index, match, locale)
                for index, match in occurrences
                if " " in label or _is_a_cell(lines[index], match)
            )
            matches = [value for value in below if value is not None]
        if matches:
            return matches[-1] if rule.last else matches[0]
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


def _occurrences(rule: Rule, label: str, lines: list[str]) -> Iterator[tuple[int, re.Match[str]]]:
    """The occurrences of ``label``: line number and match, without lines that mean something else."""
    pattern = _label_pattern(label)
    for index, line in enumerate(lines):
        if rule.skip is None or not rule.skip.search(line):
            yield from ((index, match) for match in islice(pattern.finditer(line), _MAX_OCCURRENCES))


def _lines(text: str) -> Iterator[str]:
    """The lines; a very long one is cut into pieces."""
    for line in text.split("\n"):
        for start in range(0, len(line) or 1, _MAX_LINE):
            yield line[start : start + _MAX_LINE]


def _beside(line: str, label: re.Match[str]) -> str:
    """The text after the label."""
    return line[label.end() :].lstrip(_AFTER_LABEL)[:_BESIDE_CHARACTERS]


def _is_a_cell(line: str, match: re.Match[str]) -> bool:
    """Whether the match stands alone: a heading of a table, not a word in "copy of the invoice"."""
    before, after = line[: match.start()], line[match.end() :]
    return (not before.strip() or before.endswith("  ")) and re.match(r"\s?[:.#]?(?:\s{2}|\s*$)", after) is not None


def _candidates(rule: Rule, text: str) -> list[re.Match[str]]:
    if rule.value is not None:
        return list(rule.value.finditer(text))
    if rule.type == "date":
        return list(DATE.finditer(text))
    if rule.type == "text":
        return list(_TEXT.finditer(text))
    matches = list(NUMBER.finditer(text))
    # Amounts have cents far more often than not: 12.50 beats the 2 of "2 items".
    with_cents = [match for match in matches if re.search(r"[.,]\d{2}$", match[0])]
    return with_cents if rule.type == "amount" and with_cents else matches


def _first(rule: Rule, rest: str, locale: Locale) -> Value | None:
    for match in _candidates(rule, rest):
        value = _parse(rule, match[0], locale)
        if value is not None:
            return value
    return None


def _below(rule: Rule, lines: list[str], index: int, label: re.Match[str], locale: Locale) -> Value | None:
    """The value below the label, as in a table: the nearest one that overlaps its column."""
    middle = (label.start() + label.end()) / 2
    checked = 0
    for line in lines[index + 1 :]:
        if not line.strip():
            continue
        checked += 1
        near = [
            match
            for match in _candidates(rule, line)
            if match.start() < label.end() + _BELOW_MARGIN and match.end() > label.start() - _BELOW_MARGIN
        ]
        for match in sorted(near, key=lambda match: abs((match.start() + match.end()) / 2 - middle)):
            value = _parse(rule, match[0], locale)
            if value is not None:
                return value
        if checked == _BELOW_LINES:
            break
    return None
