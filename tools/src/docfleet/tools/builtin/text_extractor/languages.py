"""Which OCR engine reads which language and script. Languages have the codes of Tesseract."""

from __future__ import annotations

import re
import unicodedata

# Text of a script that an engine does not know comes out in the letters it knows: many words then mix scripts, or have
# capitals in their middle. These shares of odd words lie far from both kinds of text.
_ODD = 0.18
_ODD_IF_UNSURE = 0.12
_UNSURE = 0.85
_FEW_WORDS = 3

AUTO = "auto"

_LATIN = """
afr aze bos cat ces cym dan deu eng est eus fin fra gle glg hrv hun ind isl ita lat lav lit ltz mlt mri msa nld nor
oci pol por que ron slk slv spa sqi srp_latn swa swe tgl tur uzb
"""

TINY_LANGUAGES = frozenset(_LATIN.split()) | {"chi_sim", "chi_tra"}
"""What PP-OCR reads with its tiny models."""

SMALL_LANGUAGES = TINY_LANGUAGES | {"jpn"}
"""What PP-OCR reads with its small models."""

SMALL_SCRIPTS = frozenset({"Japanese", "Hiragana", "Katakana", "Han"})
"""Scripts, as Tesseract names them, of which the small models know more characters than the tiny ones."""

LANGUAGES_OF_SCRIPT = {
    "Arabic": ("ara", "fas", "urd"),
    "Armenian": ("hye",),
    "Bengali": ("ben", "asm"),
    "Cherokee": ("chr",),
    "Cyrillic": ("rus", "ukr", "bul", "srp", "bel", "mkd", "kaz"),
    "Devanagari": ("hin", "mar", "nep"),
    "Ethiopic": ("amh", "tir"),
    "Georgian": ("kat",),
    "Greek": ("ell",),
    "Gujarati": ("guj",),
    "Gurmukhi": ("pan",),
    "Hangul": ("kor",),
    "Hebrew": ("heb", "yid"),
    "Kannada": ("kan",),
    "Khmer": ("khm",),
    "Korean": ("kor",),
    "Lao": ("lao",),
    "Malayalam": ("mal",),
    "Myanmar": ("mya",),
    "Oriya": ("ori",),
    "Sinhala": ("sin",),
    "Syriac": ("syr",),
    "Tamil": ("tam",),
    "Telugu": ("tel",),
    "Thai": ("tha",),
    "Tibetan": ("bod",),
}
"""For scripts that only Tesseract reads: its languages, the most used ones first."""


def looks_foreign(text: str, confidence: float) -> bool:
    """Whether ``text``, read as Latin or Chinese, seems to be of another script."""
    words = re.findall(r"[^\W\d_]{3,}", text)
    if len(words) < _FEW_WORDS:
        return confidence < _UNSURE
    odd = sum(map(_is_odd, words)) / len(words)
    return odd >= (_ODD if confidence >= _UNSURE else _ODD_IF_UNSURE)


def _is_odd(word: str) -> bool:
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in word}
    return len(scripts) > 1 or re.search("[a-z][A-Z]", word) is not None
