"""The labels of ``labels.toml``, found in a text in one pass.

Labels and text are compared in small letters, without accents, spaces and marks: "Rechnungs-Nr.", "RECHNUNGSNR" and
"Rechnungs nr" are one label. Where labels overlap the longest one counts: "total excl. VAT" is no "total".
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

# Between "number" and the document: numéro de facture, number of invoice, Nr. der Rechnung.
_JOINTS = ("", "de", "dela", "of", "der", "da", "della", "di", "du", "van", "av", "del", "faktury")
_SEPARATORS = " -./'\u2019\xa0\u2010\u2011\u00b7\u05f4"
_MAX_GAP = 2
# Languages that write words together: a Mietrechnung is a Rechnung.
_COMPOUNDING = {"de", "nl", "sv", "da", "nb", "fi", "is", "et"}
_MIN_COMPOUND = 5
_SYMBOLS = "#№°%"
NUMBER_OF = {"document": "invoice_number", "credit": "credit_number"}


@dataclass(frozen=True, slots=True)
class Hit:
    """A label in the text: for which fields, in which languages, and where."""

    fields: frozenset[str]
    languages: frozenset[str]
    start: int
    end: int
    inside: bool = False


@lru_cache(maxsize=4096)
def _fold(letter: str) -> str:
    lower = letter.lower()
    parts = unicodedata.normalize("NFKD", lower)
    plain = parts[0] if all(unicodedata.combining(mark) for mark in parts[1:]) else lower
    return plain if len(plain) == 1 else letter


def fold(text: str) -> str:
    """``text`` in small letters without accents, of the same length."""
    return "".join(map(_fold, text))


@lru_cache(maxsize=4096)
def _is_letter(letter: str) -> bool:
    # Signs of vowels are marks to Unicode.
    return letter.isalpha() or letter in _SYMBOLS or unicodedata.category(letter)[0] == "M"


@lru_cache(maxsize=4096)
def _runs_on(letter: str) -> bool:
    """Whether words of this script are written without spaces."""
    return "\u3040" <= letter <= "\u9fff" or "\uac00" <= letter <= "\ud7a3" or "\u0e01" <= letter <= "\u0e5b"


def _squeezed(label: str) -> str:
    return "".join(letter for letter in fold(label) if _is_letter(letter))


@cache
def table() -> dict[str, dict[str, list[str]]]:
    """The labels by language and field."""
    return tomllib.loads(Path(__file__).with_name("labels.toml").read_text("utf-8"))


def of_field(field: str) -> tuple[str, ...]:
    """The labels of a field in all languages."""
    return tuple(dict.fromkeys(label for fields in table().values() for label in fields.get(field, ())))


def _entries() -> Iterator[tuple[str, str, str]]:
    """Label (squeezed), field and language of the table, and of each document with "number"."""
    anywhere = table()["any"]["number"]
    for language, fields in table().items():
        for field, written in fields.items():
            yield from ((_squeezed(label), field, language) for label in written)
        numbers = [_squeezed(number) for number in (*fields.get("number", ()), *anywhere)]
        for field, name in NUMBER_OF.items():
            for document in map(_squeezed, fields.get(field, ())):
                for number in numbers:
                    yield document + number, name, language
                    yield document + "s" + number, name, language
                    if len(number) > 1:
                        yield from ((number + joint + document, name, language) for joint in _JOINTS)


@cache
def _trie() -> dict[str, Any]:
    root: dict[str, Any] = {}
    for label, field, language in _entries():
        node = root
        for letter in label:
            node = node.setdefault(letter, {})
        if label:
            node.setdefault("", set()).add((field, language))
    return root


def hits(text: str) -> list[Hit]:
    """The labels in ``text`` in order, those within a longer one left out."""
    folded, trie = fold(text), _trie()
    found: list[Hit] = []
    covered = 0
    for start, letter in enumerate(folded):
        if letter not in trie or not _is_letter(letter):
            continue
        begins = start == 0 or not (_is_letter(folded[start - 1]) and letter not in _SYMBOLS) or _runs_on(letter)
        if start < covered and not begins:
            continue
        hit = _longest(folded, start, trie, begins=begins)
        if hit is not None and hit.end > covered:
            found.append(hit)
            covered = hit.end
    return found


def _longest(folded: str, start: int, trie: dict[str, Any], *, begins: bool) -> Hit | None:
    node, best, gap = trie, None, 0
    for at in range(start, len(folded)):
        letter = folded[at]
        if letter in node:
            node, gap = node[letter], 0
            follows = folded[at + 1 : at + 2]
            if "" in node and (not follows or letter in _SYMBOLS or _runs_on(letter) or not _is_letter(follows)):
                best = (at + 1, node[""])
        elif letter in _SEPARATORS and gap < _MAX_GAP:
            gap += 1
        else:
            break
    if best is None:
        return None
    end, meanings = best
    if not begins:
        if end - start < _MIN_COMPOUND:
            return None
        names = {"document", "credit", *NUMBER_OF.values()}
        meanings = {(field, language) for field, language in meanings if field in names and language in _COMPOUNDING}
        if not meanings:
            return None
    fields, languages = zip(*meanings, strict=True)
    return Hit(frozenset(fields), frozenset(languages), start, end, not begins)


def languages_of(found: Sequence[Hit]) -> tuple[str, ...]:
    """The languages that most of the labels are in."""
    counts = Counter(
        language for hit in found for language in hit.languages if language != "any" and len(hit.languages) < 4
    )
    most = max(counts.values(), default=0)
    return tuple(sorted(language for language, count in counts.items() if 2 * count > most))
