"""Which OCR engine reads which language and script. Languages have the codes of Tesseract."""

from __future__ import annotations

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
