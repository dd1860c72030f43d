"""E-mail: RFC 5322 messages and Outlook messages."""

from __future__ import annotations

import email
import email.policy
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from pathlib import Path

from docfleet.core.errors import PasswordRequired
from docfleet.tools.builtin.text_extractor.document import Document, Reading, reading_of
from docfleet.tools.builtin.text_extractor.markup import html_text
from docfleet.tools.sdk.media import utf16_without_mark
from docfleet.tools.sdk.text import decode_text

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_ENCRYPTED = "encrypted message: its content cannot be read without the recipient's key; send it decrypted"
_PGP = "-----BEGIN PGP MESSAGE-----"


def read_eml(path: Path, _reading: Reading) -> Document:
    """Headers, text (plain before HTML), the names of attachments. Raises ``PasswordRequired``, ``CorruptFile``."""
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or raw[:3] == b"\xef\xbb\xbf" or utf16_without_mark(raw):
        raw = decode_text(raw).encode("utf-8")
    attachments: list[str] = []
    with reading_of("the mail"):
        message = email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
        lines = list(_message_lines(message, attachments))
    if attachments:
        lines += ["", "Attachments: " + ", ".join(attachments)]
    return Document.of_texts(["\n".join(lines)], {"attachments": attachments} if attachments else {})


def _message_lines(message: EmailMessage, attachments: list[str]) -> list[str]:
    lines = [f"{name}: {value}" for name in _HEADERS if (value := _header(message, name))]
    return [*lines, "", *_body_lines(message, attachments)]


def _header(message: Message, name: str) -> str:
    try:
        value = message.get(name)
    except (ValueError, IndexError, LookupError, AttributeError, TypeError, RecursionError):
        # The structured parser gives up on some malformed headers; the raw text is still useful to people.
        value = next((raw for key, raw in message.raw_items() if key.lower() == name.lower()), None)
    text = "" if value is None else " ".join(str(value).split())
    return text.encode("utf-8", "replace").decode("utf-8")


def _body_lines(part: EmailMessage, attachments: list[str]) -> list[str]:
    kind = part.get_content_type()
    if kind == "multipart/encrypted" or (
        kind in ("application/pkcs7-mime", "application/x-pkcs7-mime")
        and part.get_param("smime-type", "enveloped-data") != "signed-data"
    ):
        raise PasswordRequired(_ENCRYPTED)
    if kind == "message/rfc822":
        inner = [nested for nested in part.get_payload() if isinstance(nested, EmailMessage)]
        return ["", *(line for nested in inner for line in _message_lines(nested, attachments))]
    if part.is_multipart():
        parts = [child for child in part.iter_parts() if isinstance(child, EmailMessage)]
        if kind == "multipart/alternative":
            parts = _preferred(parts)
        return [line for child in parts for line in _body_lines(child, attachments)]
    name = part.get_filename()
    if name or part.is_attachment() or part.get_content_maintype() != "text":
        attachments.append(name or kind)
        return []
    text = _content(part)
    if kind == "text/html":
        text = html_text(text)[1]
    if _PGP in text:
        raise PasswordRequired(_ENCRYPTED)
    return text.strip("\n").split("\n")


def _preferred(parts: list[EmailMessage]) -> list[EmailMessage]:
    """The plain one of alternatives, unless it is blank; otherwise the last, which is the richest."""
    plain = [part for part in parts if part.get_content_type() == "text/plain" and _content(part).strip()]
    return plain[:1] or parts[-1:]


def _content(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else str(part.get_payload()).encode("utf-8", "replace")
    charset = part.get_content_charset()
    try:
        return raw.decode(charset).replace("\r\n", "\n") if charset else decode_text(raw)
    except (LookupError, UnicodeDecodeError):
        return decode_text(raw)


def _decoded(value: str) -> str:
    """The decoded name of a sender: Outlook keeps it as it was in the header, with encoded words."""
    try:
        return str(make_header(decode_header(value)))
    except (ValueError, LookupError):
        return value


def read_msg(path: Path, _reading: Reading) -> Document:
    """Headers, text and the names of attachments of an Outlook message."""
    from oxmsg import Message as OutlookMessage

    with reading_of("the Outlook message"):
        message = OutlookMessage.load(str(path))
        if message.message_class.upper().startswith("IPM.NOTE.SMIME") and "MULTIPARTSIGNED" not in (
            message.message_class.upper()
        ):
            raise PasswordRequired(_ENCRYPTED)
        headers = {
            "From": _decoded(message.sender or ""),
            "To": ", ".join(
                person.email_address
                if person.name in ("", person.email_address)
                else f"{_decoded(person.name)} <{person.email_address}>"
                for person in message.recipients
                if person.name or person.email_address
            ),
            "Date": message.sent_date.isoformat() if message.sent_date else None,
            "Subject": message.subject,
        }
        body = message.body or (html_text(message.html_body)[1] if message.html_body else "")
        attachments = [attachment.file_name or "unnamed" for attachment in message.attachments]
    lines = [f"{name}: {value}" for name, value in headers.items() if value]
    lines += ["", body.replace("\r\n", "\n").strip("\n")]
    if attachments:
        lines += ["", "Attachments: " + ", ".join(attachments)]
    return Document.of_texts(["\n".join(lines)], {"attachments": attachments} if attachments else {})
