"""The folded form of text: what stays the same whatever way the same words are written.

Letters lose case, accents and ligatures, digits of any script become those of ASCII, and everything that is neither
letter nor digit is left out, spaces among it. So a value is one string, whether it is hyphenated over two lines, has
spaces between its letters or another punctuation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_PLAIN = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "\u0131": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"})
_HEBREW = re.compile("[\u05d0-\u05ea]")
_FEW = 20
_HEBREW_AS_LATIN = {0xE0 + offset: 0x5D0 + offset for offset in range(27)}
"""Letters of windows-1255 that were taken for those of windows-1252, in words that are Hebrew otherwise."""
_DROPPED = frozenset("\u0640")  # the stretching of Arabic letters counts as a letter
_LOOKALIKES = str.maketrans({"o": "0", "q": "0", "i": "1", "l": "1", "s": "5", "b": "8", "z": "2", "g": "9"})


@lru_cache(maxsize=50_000)
def fold_word(word: str) -> tuple[str, tuple[int, ...]]:
    """The folded form of one word, and the positions in it at which a part begins; 0 is not among them."""
    if word.isascii():
        if word.isalpha() or word.isdigit():
            return word.lower(), ()
        characters = word.lower()
    else:
        characters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", word).casefold()).translate(_PLAIN)
    out: list[str] = []
    starts: list[int] = []
    mark = digit = False
    for character in characters:
        if not character.isalnum():
            # An accent is no mark: it belongs to the letter before it.
            mark = mark or not unicodedata.combining(character)
            continue
        if character in _DROPPED:
            continue
        is_digit = character.isdigit()
        if is_digit and not character.isascii():
            character = str(unicodedata.digit(character))
        if out and (mark or is_digit != digit or not (character.isascii() or character.isalpha())):
            starts.append(len(out))
        out.append(character)
        mark, digit = False, is_digit
    return "".join(out), tuple(starts)


def is_hebrew(words: Iterable[str]) -> bool:
    """Whether words are Hebrew, at least in part."""
    return len(_HEBREW.findall("".join(words))) > _FEW


def mend_hebrew(word: str) -> str:
    """A word of a Hebrew page with the letters that a wrong code page has made Latin ones."""
    if word.isascii() or not (len(word) == 1 or _HEBREW.search(word)):
        return word
    return word.translate(_HEBREW_AS_LATIN)


def fold(text: str) -> str:
    """The folded form of a text."""
    return "".join(fold_word(word)[0] for word in text.split())


def alike(folded: str) -> str:
    """The folded text with the characters that OCR confuses (O and 0, l and 1, ...) made equal."""
    return folded.translate(_LOOKALIKES)


def ascii_digits(text: str) -> str:
    """The text with the digits of every script as those of ASCII; its length stays."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.digit(each)) if not each.isascii() and each.isdigit() else each for each in text)
