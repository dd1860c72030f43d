"""Decodes bytes of unknown encoding."""

from __future__ import annotations

import codecs
import json

from docfleet.tools.sdk.media import utf16_without_mark

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # UTF-32 first: its little-endian mark starts with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(raw: bytes) -> str:
    """The encoding of ``raw``: its byte order mark, UTF-8 when valid, else the most plausible code page."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return encoding
    without_mark = utf16_without_mark(raw)
    if without_mark:
        return without_mark
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes

        best = from_bytes(raw[: 256 * 1024]).best()
        return best.encoding if best is not None else "cp1252"
    return "utf-8"


def decode_text(raw: bytes) -> str:
    """``raw`` as text with ``\\n`` line ends; undecodable bytes become U+FFFD."""
    return raw.decode(encoding_of(raw), "replace").replace("\r\n", "\n").replace("\r", "\n")


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
