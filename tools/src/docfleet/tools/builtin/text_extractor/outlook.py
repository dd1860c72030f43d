"""Outlook messages."""

from __future__ import annotations

from pathlib import Path

from docfleet.core.errors import PasswordRequired
from docfleet.tools.builtin.text_extractor.document import Document, Reading, reading_of
from docfleet.tools.builtin.text_extractor.mail import ENCRYPTED, header_text
from docfleet.tools.builtin.text_extractor.markup import html_text


def read_msg(path: Path, _reading: Reading) -> Document:
    """Headers, text and the names of attachments of an Outlook message."""
    from oxmsg import Message as OutlookMessage

    with reading_of("the Outlook message"):
        message = OutlookMessage.load(str(path))
        if message.message_class.upper().startswith("IPM.NOTE.SMIME") and "MULTIPARTSIGNED" not in (
            message.message_class.upper()
        ):
            raise PasswordRequired(ENCRYPTED)
        headers = {
            "From": header_text(message.sender or ""),
            "To": ", ".join(
                person.email_address
                if person.name in ("", person.email_address)
                else f"{header_text(person.name)} <{person.email_address}>"
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
    return Document.of_texts(["\n".join(lines)], {"attachments": attachments} if attachments else {})
