"""E-mail as RFC 5322 writes it: headers, bodies, the names of attachments."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterable
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import EmailMessage, Message
from pathlib import Path

from docfleet.core.errors import PasswordRequired
from docfleet.tools.builtin.text_extractor.document import Document, ReadOptions, reading_of
from docfleet.tools.builtin.text_extractor.markup import html_text
from docfleet.tools.sdk.media import utf16_without_mark
from docfleet.tools.sdk.smime import signed_content
from docfleet.tools.sdk.text import decode_text

ENCRYPTED = "encrypted message: its content cannot be read without the recipient's key; send it decrypted"
_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_PGP = "-----BEGIN PGP MESSAGE-----"
_SMIME = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_MESSAGES = ("message/rfc822", "message/global", "message/news")
_BODIES = ("text/plain", "text/html")
_BOUNDARY = re.compile(rb"^--(\S[^\n]*?)[ \t]*\n(?=Content-[A-Za-z-]+:|\n)", re.MULTILINE | re.IGNORECASE)
# Alternatives say the same in other words where they share fewer of them than this: one of them is a stub.
_SAME_WORDS = 0.5


def read_eml(path: Path, _reading: ReadOptions) -> Document:
    """Headers and text (plain before HTML); the names of attachments are metadata.

    Raises ``PasswordRequired``, ``CorruptFile``.
    """
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or raw[:3] == b"\xef\xbb\xbf" or utf16_without_mark(raw):
        raw = decode_text(raw).encode("utf-8")
    mail = Mail()
    with reading_of("the mail"):
        lines = mail.message_lines(parsed(raw))
    return Document.of_texts(["\n".join(lines)], {"attachments": mail.attachments} if mail.attachments else {})


def parsed(raw: bytes) -> EmailMessage:
    """The message in these bytes."""
    return email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)


def header_text(value: str, charset: str | None = None) -> str:
    """The text of a header: encoded words are decoded; bytes beyond ASCII are of ``charset``, if they say no other."""
    try:
        parts = decode_header(" ".join(value.split()))
    except (HeaderParseError, ValueError):
        parts = [(value, None)]
    pieces = []
    for part, encoding in parts:
        raw = part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape")
        pieces.append(decode_text(raw, encoding or charset))
    return " ".join("".join(pieces).split())


class Mail:
    """What is read of one message and of those within it."""

    def __init__(self) -> None:
        self.attachments: list[str] = []

    def message_lines(self, message: EmailMessage) -> list[str]:
        """The headers and the body."""
        headers = [f"{name}: {value}" for name in _HEADERS if (value := _header(message, name))]
        body = self.body_lines(message, is_root=True)
        if not any(line.strip() for line in body):
            # Some programs send even the body as a file.
            body = [line for part in message.walk() if _is_body(part) for line in _text_lines(part)]
        return [*headers, "", *body]

    def body_lines(self, part: EmailMessage, *, is_root: bool = False) -> list[str]:
        """The text of a part, which is the message itself if ``is_root``. Raises ``PasswordRequired``."""
        kind = part.get_content_type()
        if kind == "multipart/encrypted":
            raise PasswordRequired(ENCRYPTED)
        if kind in _SMIME:
            return self._signed_lines(part)
        if kind in _MESSAGES:
            return ["", *(line for nested in _messages_in(part) for line in self.message_lines(nested))]
        if kind == "multipart/alternative" and part.is_multipart():
            return self._preferred_lines(list(_children(part)))
        if part.get_content_maintype() == "message" and part.is_multipart():  # reports of delivery: fields only
            return [line for block in _children(part) for line in _field_lines(block)]
        if part.is_multipart():
            return [line for child in _children(part) for line in self.body_lines(child)]
        if part.get_content_maintype() == "multipart":
            return self._split_lines(part)
        name = part.get_filename()
        is_shown = _is_body(part) and (is_root or not part.is_attachment())
        if is_shown or (kind == "text/rtf" and not part.is_attachment() and not name):
            return _text_lines(part)
        if part.get_content_maintype() == "text" and not name and not part.is_attachment():
            return _text_lines(part)
        self.attachments.append(header_text(name) if name else kind)
        return []

    def _signed_lines(self, part: EmailMessage) -> list[str]:
        content = signed_content(_payload(part))
        if content is None:
            raise PasswordRequired(ENCRYPTED)
        return self.body_lines(parsed(content), is_root=True)

    def _split_lines(self, part: EmailMessage) -> list[str]:
        """The parts of a message whose boundary is another than its header says."""
        payload = _payload(part).replace(b"\r\n", b"\n")
        boundary = _BOUNDARY.search(payload)
        if boundary is None:
            return decode_text(payload).strip("\n").split("\n")
        head = b'Content-Type: %s; boundary="%s"\n\n' % (part.get_content_type().encode(), boundary[1])
        return self.body_lines(parsed(head + payload))

    def _preferred_lines(self, parts: list[EmailMessage]) -> list[str]:
        """The plain one of alternatives, unless it is blank or a stub; otherwise the last that is no calendar."""
        plain = next((part for part in parts if part.get_content_type() == "text/plain"), None)
        others = [part for part in parts if part is not plain and part.get_content_type() != "text/calendar"]
        before = list(self.attachments)
        plain_lines = _text_lines(plain) if plain is not None else []
        rich_lines = self.body_lines(others[-1]) if others else []
        if not others and plain is None:
            return [line for part in parts for line in self.body_lines(part)]
        lines = preferred(plain_lines, rich_lines)
        if lines is plain_lines and others:
            pictures = {part.get_filename() for part in others[-1].walk() if part["Content-ID"]}
            self.attachments = before + [name for name in self.attachments[len(before) :] if name not in pictures]
        return lines


def preferred(plain: list[str], rich: list[str]) -> list[str]:
    """The plain one of two alternatives, unless it is blank or a stub; both, where they say different things."""
    plain_words, rich_words = _words(plain), _words(rich)
    if not plain_words:
        return rich
    if len(rich_words & plain_words) >= _SAME_WORDS * len(rich_words):
        return plain
    # Stubs of all languages name what they ask for.
    return rich if "html" in plain_words else [*plain, "", *rich]


def _field_lines(block: EmailMessage) -> list[str]:
    fields = [f"{key}: {header_text(value)}" for key, value in block.raw_items()]
    return fields if block.is_multipart() else [*fields, *decode_text(_payload(block)).strip("\n").split("\n")]


def _is_body(part: Message) -> bool:
    return part.get_content_type() in _BODIES


def _children(part: EmailMessage) -> Iterable[EmailMessage]:
    payload = part.get_payload()
    return [child for child in payload if isinstance(child, EmailMessage)] if isinstance(payload, list) else []


def _messages_in(part: EmailMessage) -> Iterable[EmailMessage]:
    for nested in _children(part):
        if str(part.get("Content-Transfer-Encoding", "")).strip().lower() in ("base64", "quoted-printable"):
            nested["Content-Transfer-Encoding"] = part["Content-Transfer-Encoding"]
            yield parsed(_payload(nested))
        else:
            yield nested


def _header(message: Message, name: str) -> str:
    value = next((raw for key, raw in message.raw_items() if key.lower() == name.lower()), "")
    return header_text(str(value), _charset(message))


def _charset(message: Message) -> str | None:
    """The charset that the message, or its first part with one, declares."""
    try:
        return next((charset for part in message.walk() if (charset := part.get_content_charset())), None)
    except (ValueError, LookupError):
        return None


def _words(lines: list[str]) -> set[str]:
    return set(re.findall(r"\w{3,}", "\n".join(lines).lower()))


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else str(part.get_payload()).encode("utf-8", "replace")


def _text_lines(part: EmailMessage | Message) -> list[str]:
    kind = part.get_content_type()
    raw, charset = _payload(part), part.get_content_charset()
    text = html_text(raw, charset)[1] if kind == "text/html" else decode_text(raw, charset)
    if _PGP in text:
        raise PasswordRequired(ENCRYPTED)
    return text.strip("\n").split("\n")
