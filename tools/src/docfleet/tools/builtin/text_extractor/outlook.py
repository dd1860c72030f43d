"""Outlook messages: properties in the streams of an OLE file."""

from __future__ import annotations

import datetime
import struct
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from docfleet.core.errors import PasswordRequired
from docfleet.tools.builtin.text_extractor.document import Document, ReadOptions, reading_of
from docfleet.tools.builtin.text_extractor.mail import ENCRYPTED, Mail, header_text, parsed, preferred
from docfleet.tools.builtin.text_extractor.markup import html_text
from docfleet.tools.builtin.text_extractor.rtf import rtf_text
from docfleet.tools.sdk.smime import signed_content
from docfleet.tools.sdk.text import codec_of_page, decode_text

_STREAM = "__substg1.0_{:04X}{:04X}"
_PROPERTIES = "__properties_version1.0"
# Types of properties.
_TEXT, _BYTES_OF_TEXT, _BINARY, _STORAGE = 0x001F, 0x001E, 0x0102, 0x000D
_CLASS, _SUBJECT, _HEADERS, _BODY, _HTML, _RTF = 0x001A, 0x0037, 0x007D, 0x1000, 0x1013, 0x1009
_SENDER, _SENDER_ADDRESSES = (0x0C1A, 0x0042), (0x5D01, 0x0C1F, 0x5D02, 0x0065)
_NAME, _ADDRESSES, _RECIPIENT_KIND = 0x3001, (0x39FE, 0x3003), 0x0C15
_FILE_NAMES, _DATA = (0x3707, 0x3704, 0x3001), 0x3701
_BODY_PAGE, _PAGE = 0x3FDE, 0x3FFD
_TIMES = (0x0039, 0x0E06)
_KINDS = {2: "Cc", 3: "Bcc"}
_EPOCH = datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC)


def read_msg(path: Path, _reading: ReadOptions) -> Document:
    """Headers and text of an Outlook message, and the messages attached to it; attachments by name in ``metadata``."""
    import olefile

    with reading_of("the Outlook message"), olefile.OleFileIO(path) as storage:
        message = _Outlook(storage, ())
        lines, attachments = message.lines(), message.attachments
    return Document.of_texts(["\n".join(lines)], {"attachments": attachments} if attachments else {})


class _Object:
    """The properties of a message, a recipient or an attachment, in a storage of the file."""

    header_bytes = 8

    def __init__(self, storage: Any, path: tuple[str, ...], page: int | None = None) -> None:
        self._storage = storage
        self.path = path
        self._fixed = self._fixed_properties()
        self.page = self.integer(_PAGE) or page

    def _fixed_properties(self) -> dict[int, bytes]:
        stream = self._stream(_PROPERTIES)[self.header_bytes :]
        entries = (stream[at : at + 16] for at in range(0, len(stream) - 15, 16))
        return {struct.unpack_from("<2xH", entry)[0]: entry[8:] for entry in entries}

    def _stream(self, name: str) -> bytes:
        path = [*self.path, name]
        return self._storage.openstream(path).read() if self._storage.exists(path) else b""

    def integer(self, identity: int) -> int | None:
        value = self._fixed.get(identity)
        return struct.unpack_from("<I", value)[0] if value else None

    def time(self, identity: int) -> datetime.datetime | None:
        value = self._fixed.get(identity)
        ticks = struct.unpack("<Q", value)[0] if value else 0
        try:
            return _EPOCH + datetime.timedelta(microseconds=ticks // 10) if ticks else None
        except OverflowError:
            return None

    def binary(self, identity: int) -> bytes:
        return self._stream(_STREAM.format(identity, _BINARY))

    def text(self, *identities: int, page: int | None = None) -> str:
        """The first of these properties that has text: in UTF-16, or in a code page that may be declared wrongly."""
        for identity in identities:
            text = self._stream(_STREAM.format(identity, _TEXT)).decode("utf-16-le", "replace")
            if not text.strip("\0"):
                raw = self._stream(_STREAM.format(identity, _BYTES_OF_TEXT)).rstrip(b"\0")
                text = decode_text(raw, _label(page or self.page))
            text = text.rstrip("\0").replace("\0", " ")
            if text.strip():
                return text
        return ""

    def inner(self, prefix: str) -> list[tuple[str, ...]]:
        """The storages within this one whose names begin so."""
        depth = len(self.path)
        found = {
            tuple(path[: depth + 1])
            for path in self._storage.listdir(streams=True, storages=True)
            if len(path) > depth and tuple(path[:depth]) == self.path and path[depth].startswith(prefix)
        }
        return sorted(found)


class _Outlook(_Object):
    def __init__(self, storage: Any, path: tuple[str, ...]) -> None:
        self.header_bytes = 24 if path else 32  # messages within messages have a shorter header
        super().__init__(storage, path)
        self.attachments: list[str] = []

    def lines(self) -> list[str]:
        body = self._body_lines()
        return [f"{name}: {value}" for name, value in self._headers().items() if value] + ["", *body]

    def _headers(self) -> dict[str, str]:
        transport = HeaderParser().parsestr(self.text(_HEADERS))
        sender = _person(self.text(*_SENDER), self.text(*_SENDER_ADDRESSES))
        sent = next((time for identity in _TIMES if (time := self.time(identity))), None)
        people: dict[str, list[str]] = {"To": [], "Cc": [], "Bcc": []}
        for path in self.inner("__recip_version1.0_"):
            recipient = _Object(self._storage, path, self.page)
            person = _person(recipient.text(_NAME), recipient.text(*_ADDRESSES))
            if person:
                people[_KINDS.get(recipient.integer(_RECIPIENT_KIND) or 1, "To")].append(person)
        return {
            "From": _transported(transport, "From") or sender,
            **{name: ", ".join(found) or _transported(transport, name) for name, found in people.items()},
            "Date": sent.isoformat() if sent else _transported(transport, "Date"),
            "Subject": " ".join(self.text(_SUBJECT).split()) or _transported(transport, "Subject"),
        }

    def _body_lines(self) -> list[str]:
        plain = self.text(_BODY, page=self.integer(_BODY_PAGE)).strip("\r\n")
        lines = plain.replace("\r\n", "\n").split("\n")
        html = self.binary(_HTML) or self.text(_HTML, page=self.integer(_BODY_PAGE))
        if html:
            declared = _label(self.integer(_BODY_PAGE)) if isinstance(html, bytes) else None
            lines = preferred(lines, html_text(html, declared)[1].split("\n"))
        elif not plain.strip() and (packed := self.binary(_RTF)):
            lines = _unpacked_rtf(packed).split("\n")
        return [*lines, *self._attached_lines(has_body=any(line.strip() for line in lines))]

    def _attached_lines(self, *, has_body: bool) -> list[str]:
        is_smime = self.text(_CLASS).upper().startswith("IPM.NOTE.SMIME")
        lines: list[str] = []
        for path in self.inner("__attach_version1.0_"):
            attachment = _Object(self._storage, path, self.page)
            name = " ".join(attachment.text(*_FILE_NAMES).split())
            data = attachment.binary(_DATA)
            embedded = (*path, _STREAM.format(_DATA, _STORAGE))
            if self._storage.exists([*embedded, _PROPERTIES]):
                inner = _Outlook(self._storage, embedded)
                lines += ["", *inner.lines()]
                self.attachments += inner.attachments
            elif is_smime and data:
                lines += self._signed_lines(data, has_body=has_body)
            else:
                self.attachments.append(name or "unnamed")
        if is_smime and not has_body and not any(line.strip() for line in lines):
            raise PasswordRequired(ENCRYPTED)
        return lines

    def _signed_lines(self, data: bytes, *, has_body: bool) -> list[str]:
        is_multipart = "MULTIPARTSIGNED" in self.text(_CLASS).upper()
        content = data if is_multipart else signed_content(data)
        if content is None:
            raise PasswordRequired(ENCRYPTED)
        mail = Mail()
        lines = mail.body_lines(parsed(content), is_root=True)
        self.attachments += mail.attachments
        return [] if has_body else lines


def _label(page: int | None) -> str | None:
    return codec_of_page(page) if page else None


def _transported(headers: Message, name: str) -> str:
    return header_text(str(headers.get(name, "")))


def _person(name: str, address: str) -> str:
    name, address = header_text(name), header_text(address)
    if not name or name == address:
        return address
    return f"{name} <{address}>" if address else name


def _unpacked_rtf(packed: bytes) -> str:
    from compressed_rtf import decompress

    return rtf_text(decompress(packed))
