"""The parts of a multipart form as clients write them: names, charsets and transfer encodings."""

from __future__ import annotations

import binascii
import codecs
import re
from email.errors import HeaderParseError, MessageError
from email.header import decode_header
from email.message import Message
from typing import Protocol
from urllib.parse import unquote

from multipart import MultipartSegment, parse_content_disposition

from docfleet.backend.calls.refusals import CallRefused

_CHARSET = re.compile(
    r"utf-8|ascii|iso8859-\d+|cp\d+|koi8-[rtu]|gb2312|gbk|gb18030|big5(hkscs)?|shift_jis(_2004|x0213)?"
    r"|euc_(jp|kr|jis_2004|jisx0213)|tis-620|mac-\w+"
)
"""Codecs of texts, by Python's names. Others would decode something else, or slowly."""
HEADER_CHARSET = "latin-1"
"""In which the parser reads the headers of parts: it keeps every byte."""
_QUOTED_FILENAME = re.compile(r'filename\s*=\s*"', re.IGNORECASE)
_PERCENT_ENCODED = re.compile(r"(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2})+")
_MAX_LINE_BYTES = 64 * 1024
_HEX_FAULT = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*\r?\n|[ \t]*\Z)")
_SPACE = bytes(range(33))


# Parameters of a header


class _Parameters:
    """The parameters of a header, by their names in lower case. ``extended`` are those with a charset (RFC 8187);
    None is one that is not in its charset."""

    def __init__(self, header: str) -> None:
        message = Message()
        message["Content-Type"] = header
        try:
            pairs = message.get_params([], unquote=True)
        except (MessageError, TypeError, ValueError):  # numbered pieces that do not belong together
            pairs = []
        self.plain = {name: value for name, value in pairs if isinstance(value, str)}
        self.extended = {name: _extended(*value) for name, value in pairs if isinstance(value, tuple)}


def boundary(content_type: str) -> str:
    """The boundary that a Content-Type names, quoted or not; empty without one."""
    return _Parameters(content_type).plain.get("boundary", "").rstrip()


def charset(content_type: str | None) -> str | None:
    """The charset that a Content-Type names, when it is one of texts."""
    return _known(_Parameters(content_type or "").plain.get("charset", ""))


def _known(label: str) -> str | None:
    try:
        name = codecs.lookup(label.strip()).name
    except (LookupError, ValueError):
        return None
    return name if _CHARSET.fullmatch(name) else None


def _extended(label: str | None, _language: str | None, raw: str) -> str | None:
    try:
        return raw.encode("latin-1").decode(_known(label or "") or "utf-8")
    except UnicodeEncodeError:  # nothing was encoded
        return raw
    except UnicodeDecodeError:
        return None


# Names


def names(segment: MultipartSegment, declared: str | None) -> tuple[str, str | None]:
    """The name of a part, and that of its file; None for a field. ``filename*`` wins over ``filename``.

    The headers were read as ``HEADER_CHARSET``; they are UTF-8, or else in the ``declared`` charset of the form.
    Raises ``CallRefused`` (400) for a name that is neither.
    """
    header = _text(segment.header("Content-Disposition", ""), declared)
    parameters = _Parameters(header)
    _, name, filename = parse_content_disposition(header)
    if not _QUOTED_FILENAME.search(header):  # of a name without quotes the parser takes the first word
        filename = parameters.plain.get("filename")
    filename = None if filename is None else _decoded(filename)
    if "filename" in parameters.extended:
        filename = parameters.extended["filename"] or filename
        if filename is None:
            raise _malformed(f"filename* is not in the charset that it names: {header!r:.200}")
    name = parameters.extended.get("name") or name or ""
    return name, None if filename is None else _without_folder(_without_quotes(filename))


def _text(header: str, declared: str | None) -> str:
    try:
        return text(header.encode(HEADER_CHARSET), None, declared)
    except UnicodeDecodeError as error:
        raise _malformed(
            f"a name is not UTF-8: {header!r:.200}; send it as UTF-8 or with filename*, or name its charset "
            "in the Content-Type of the form"
        ) from error


def text(raw: bytes | bytearray, own: str | None, declared: str | None) -> str:
    """A text in its ``own`` charset; without one it is UTF-8, or else in the ``declared`` charset of the form.

    Raises ``UnicodeDecodeError``.
    """
    try:
        return raw.decode(own or "utf-8")
    except UnicodeDecodeError:
        if own or not declared:
            raise
        return raw.decode(declared)


def _malformed(detail: str) -> CallRefused:
    return CallRefused(400, "parse_error", f"the multipart body is malformed: {detail}", close=True)


def _decoded(name: str) -> str:
    """A name of encoded words (RFC 2047), or percent-encoded (RFC 7578, 4.2). Any other is as it was.

    A browser encodes no percent sign: names whose decoding is ASCII only, as ``a%20b``, are more likely meant so.
    """
    if "=?" in name and name.isascii():
        try:
            words = decode_header(name)
            return "".join(_word(word, label) for word, label in words)
        except (HeaderParseError, UnicodeError, LookupError, ValueError):
            return name
    if "%" in name and _PERCENT_ENCODED.fullmatch(name):
        try:
            plain = unquote(name, errors="strict")
        except UnicodeDecodeError:
            return name
        return name if plain.isascii() else plain
    return name


def _word(word: bytes | str, label: str | None) -> str:
    if isinstance(word, str):
        return word
    if label is None:
        return word.decode("ascii")
    known = _known(label.partition("*")[0])
    if known is None:
        raise LookupError(label)
    return word.decode(known)


def _without_quotes(name: str) -> str:
    """.NET encodes the quotes, too, when the caller wrote them."""
    return name[1:-1] if len(name) > 2 and name[0] == name[-1] == '"' else name


def _without_folder(name: str) -> str:
    """Old browsers send the path of Windows."""
    return name.rpartition("\\")[2] if name[1:3] == ":\\" or name[:2] == "\\\\" else name


# Transfer encodings


class Decoder(Protocol):
    """Decodes the body of a part, piece by piece. Raises ``CallRefused`` for what is not so encoded."""

    def decode(self, chunk: bytes | bytearray) -> bytes:
        """The next bytes."""

    def finish(self) -> bytes:
        """The last ones."""


def decoder(segment: MultipartSegment) -> Decoder | None:
    """What decodes the body of this part; None when it is sent as it is. Raises ``CallRefused`` (415)."""
    encoding = (segment.header("Content-Transfer-Encoding") or "").strip().lower()
    if encoding in ("", "binary", "7bit", "8bit"):
        return None
    if encoding == "base64":
        return _Base64()
    if encoding == "quoted-printable":
        return _QuotedPrintable()
    detail = f"Content-Transfer-Encoding {encoding!r:.100}: send binary, base64 or quoted-printable"
    raise CallRefused(415, "unsupported_media_type", detail, close=True)


class _Base64:
    def __init__(self) -> None:
        self._rest = b""
        self._ended = False

    def decode(self, chunk: bytes | bytearray) -> bytes:
        data = self._rest + bytes(chunk).translate(None, _SPACE)
        whole = len(data) // 4 * 4
        data, self._rest = data[:whole], data[whole:]
        if self._ended and (data or self._rest):
            raise _not_encoded("base64")
        self._ended = data.endswith(b"=")
        try:
            return binascii.a2b_base64(data, strict_mode=True) if data else b""
        except binascii.Error as error:
            raise _not_encoded("base64") from error

    def finish(self) -> bytes:
        if self._rest:
            raise _not_encoded("base64")
        return b""


class _QuotedPrintable:
    def __init__(self) -> None:
        self._rest = b""

    def decode(self, chunk: bytes | bytearray) -> bytes:
        lines, end, self._rest = (self._rest + bytes(chunk)).rpartition(b"\n")
        if len(self._rest) > _MAX_LINE_BYTES:
            raise _not_encoded("quoted-printable")
        return self._lines(lines + end)

    def finish(self) -> bytes:
        return self._lines(self._rest)

    @staticmethod
    def _lines(lines: bytes) -> bytes:
        if _HEX_FAULT.search(lines):
            raise _not_encoded("quoted-printable")
        return binascii.a2b_qp(lines)


def _not_encoded(encoding: str) -> CallRefused:
    return _malformed(f"a part is not {encoding}, as its Content-Transfer-Encoding says: send the file as it is")
