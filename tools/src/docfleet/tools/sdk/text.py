"""Decodes bytes of unknown or wrongly declared encoding."""

from __future__ import annotations

import codecs
import json
import re

from docfleet.tools.sdk.media import utf16_without_mark

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # UTF-32 first: its little-endian mark starts with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Codecs of Python by the names of the WHATWG standard, where Python's codec of that name knows fewer characters.
_CODECS = {
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc-kr": "cp949",
    "big5": "big5hkscs",
    "iso-2022-jp": "iso2022_jp_ext",
    "windows-874": "cp874",
    "x-mac-cyrillic": "mac_cyrillic",
    "macintosh": "mac_roman",
    "iso-8859-8-i": "iso8859_8",
    "iso-8859-16": "iso8859_16",
}
# Code pages of Windows whose numbers are not in the names of Python's codecs.
_PAGES = {
    936: "gb18030", 950: "big5hkscs", 1200: "utf-16-le", 1201: "utf-16-be", 1361: "johab", 10000: "mac_roman",
    10001: "cp932", 10002: "big5hkscs", 10003: "cp949", 10006: "mac_greek", 10007: "mac_cyrillic", 10008: "gb18030",
    10029: "mac_latin2", 10079: "mac_iceland", 10081: "mac_turkish", 20127: "cp1252", 20866: "koi8-r", 20932: "euc_jp",
    20936: "gb18030", 20949: "cp949", 21866: "koi8-u", 28591: "cp1252", 28599: "cp1254", 38598: "iso8859_8",
    50220: "iso2022_jp_ext", 50221: "iso2022_jp_ext", 50222: "iso2022_jp_ext", 50225: "iso2022_kr", 51932: "euc_jp",
    51936: "gb18030", 51949: "cp949", 52936: "hz", 54936: "gb18030", 65000: "utf-7", 65001: "utf-8",
    **{28590 + part: f"iso8859_{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
}  # fmt: skip
# Codecs of Python that are text to it, yet no encoding of documents.
_NO_ENCODINGS = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"}
_ESCAPES = re.compile(rb"\x1b(?:\$[@B]|\(J|\$\([A-D])")
_HIGH = bytes(range(128, 256))
_SAMPLE_BYTES = 1024 * 1024
_SAMPLE_CHARACTERS = 64 * 1024
_LETTERS = re.compile(rb"[\x80-\xff]+")
_AROUND_LETTERS = 64
# The detector does not know those of DOS and the old Mac: their letters are signs in the others, so a sign within a
# word gives them away.
_OF_WESTERN_EUROPE = ("cp1252", "cp850", "mac_roman", "cp852")
_SIGNS_IN_WORDS = "\u2019\u2018\u00b7\xad\u2010\u2011\u2013\u2014"
_LETTERS_THAT_ARE_SIGNS = "\u00aa\u00ba\u0192"
_EURO_OF_LATIN9 = re.compile(rb"\d ?\xa4|\xa4 ?\d")
_LAST_LATIN = "\u024f"
_C1 = re.compile(rb"[\x80-\x9f]")
_FEW_ERRORS = 0.05
_PAIRS_OF_OTHER_SCRIPTS = 0.6


def codec_of(label: str) -> str | None:
    """Python's codec for the label of an encoding, as the WHATWG standard reads it: iso-8859-1 is windows-1252."""
    import webencodings

    label = label.strip(" \t\r\n\f\"'")
    standard = webencodings.lookup(label) if label.isascii() else None
    name = standard.name if standard is not None else label
    try:
        codec = codecs.lookup(_CODECS.get(name, name)).name
        "".encode(codec)  # refuses codecs that are not of text
    except (LookupError, UnicodeError, ValueError):
        return None
    return None if codec in _NO_ENCODINGS else codec


def codec_of_page(number: int) -> str | None:
    """Python's codec for the number that Windows gives a code page."""
    return _PAGES.get(number) or codec_of(f"cp{number}") or codec_of(f"windows-{number}")


def encoding_of(raw: bytes, declared: str | None = None) -> str:
    """The encoding of ``raw``: its byte order mark, UTF-8 when it is that, what is ``declared`` unless the bytes
    contradict, else the most plausible code page."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return encoding
    without_mark = utf16_without_mark(raw)
    if without_mark:
        return without_mark
    if _ESCAPES.search(raw, 0, _SAMPLE_BYTES) and raw.isascii():
        return "iso2022_jp_ext"
    codec = codec_of(declared) if declared else None
    if codec is not None and codec.startswith(("iso2022", "hz", "utf-7")):
        if raw.isascii():
            return codec
        codec = "cp932" if codec.startswith("iso2022_jp") else None  # what programs write that mean the 7-bit form
    is_utf8, errors = _as_utf8(raw)
    if is_utf8 and (not errors or codec in (None, "utf-8")):
        return "utf-8"
    if codec is not None and not codec.startswith(("utf-16", "utf-32")) and _fits(raw, codec):
        return codec
    return "utf-8" if is_utf8 else _code_page(raw)


def decode_text(raw: bytes, declared: str | None = None) -> str:
    """``raw`` as text with ``\\n`` line ends; undecodable bytes become U+FFFD."""
    return raw.decode(encoding_of(raw, declared), "replace").replace("\r\n", "\n").replace("\r", "\n")


def _as_utf8(raw: bytes) -> tuple[bool, int]:
    """Whether ``raw`` is UTF-8, as a whole, apart from the errors, and how many those are.

    In a code page hardly any letters form the sequences of UTF-8, so a text that has more sequences than errors is
    UTF-8 that was damaged or cut off.
    """
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        text, cut_off = codecs.utf_8_decode(raw, "replace", False)
        errors = text.count("\ufffd")
        sequences = len(text) - len(raw[:cut_off].translate(None, _HIGH)) - errors
        return sequences > errors, errors + (cut_off < len(raw))
    return True, 0


def _fits(raw: bytes, codec: str) -> bool:
    """Whether ``raw`` may be in the encoding that is declared."""
    text = raw.decode(codec, "replace")
    high = len(raw) - len(raw.translate(None, _HIGH))
    if text.count("\ufffd") > high * _FEW_ERRORS:
        return False
    # Programs that know nothing declare the encoding of western Europe, where letters beyond ASCII stand alone.
    return codec != "cp1252" or _paired(raw) <= _PAIRS_OF_OTHER_SCRIPTS or _code_page(raw) == "cp1252"


def _paired(raw: bytes) -> float:
    """Which part of the bytes beyond ASCII has another one beside it."""
    runs = [len(run) for run in _LETTERS.findall(raw[:_SAMPLE_BYTES])]
    return sum(run for run in runs if run > 1) / max(sum(runs), 1)


def _telling_parts(raw: bytes) -> bytes:
    """The bytes beyond ASCII with what stands around them, of the complete text, up to the size of a sample."""
    sample = bytearray()
    end = 0
    for letters in _LETTERS.finditer(raw):
        sample += raw[max(end, letters.start() - _AROUND_LETTERS) : letters.end()]
        end = letters.end()
        if len(sample) > _SAMPLE_BYTES:
            break
    sample += raw[end : end + _AROUND_LETTERS]
    return bytes(sample[:_SAMPLE_BYTES])


def _code_page(raw: bytes) -> str:
    """The most plausible code page of these bytes: windows-1252 unless another one fits."""
    from chardetng_py import detect

    sample = _telling_parts(raw)
    best = codec_of(detect(sample)) or "cp1252"
    text = sample.decode(best, "replace")
    if _paired(sample) <= _PAIRS_OF_OTHER_SCRIPTS or not any(
        letter > _LAST_LATIN and letter.isalpha() for letter in text
    ):
        least = _oddities(text)
        for other in _OF_WESTERN_EUROPE if least else ():
            oddities = _oddities(sample.decode(other, "replace"))
            if oddities < least:
                best, least = other, oddities
    if best == "cp1252" and _EURO_OF_LATIN9.search(sample) and not _C1.search(sample):
        return "iso8859-15"
    return best


def _oddities(text: str) -> int:
    """How often letters beyond ASCII stand where none belongs: signs within words, capitals after small letters."""
    text = f" {text[:_SAMPLE_CHARACTERS]} "
    count = 0
    for found in re.finditer(r"[^\x00-\x7f]", text):
        at = found.start()
        before, letter, after = text[at - 1], text[at], text[at + 1]
        if letter.isalpha() and letter not in _LETTERS_THAT_ARE_SIGNS:
            is_odd = letter.isupper() and (before.islower() or after.isdigit())
        else:
            is_odd = not letter.isprintable() and letter not in "\xa0\xad\u2028\u200b\u200e\u200f\ufeff"
            is_odd = is_odd or (letter not in _SIGNS_IN_WORDS and before.isalpha() and after.isalpha())
        count += is_odd
    return count


def earlier_text(raw: bytes) -> str:
    """The text in an earlier tool's output: the member ``text`` of a JSON object, otherwise all of it."""
    text = decode_text(raw)
    if not text.lstrip().startswith("{"):
        return text
    try:
        earlier = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return earlier["text"] if isinstance(earlier, dict) and isinstance(earlier.get("text"), str) else text
