"""Mail with alternatives, attachments and encryption."""

from __future__ import annotations

import pytest

from tests.unit.tools.builtin.text_extractor.documents import Extract, message


def test_mail_with_alternatives_and_attachments(extract: Extract) -> None:
    mail = message()
    mail.add_alternative("<p>html body</p>", subtype="html")
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="Rechnung ä.pdf")
    text = extract(mail.as_bytes(), "m.eml")
    assert "Subject: Prüfung" in text and "plain body" in text and "html body" not in text
    assert text.rstrip().endswith("Attachments: Rechnung ä.pdf")
    assert "plain body" in extract(mail.as_bytes().decode().encode("utf-16"), "m.eml")


@pytest.mark.parametrize(
    "content",
    [
        message(text="-----BEGIN PGP MESSAGE-----\nabc\n-----END PGP MESSAGE-----").as_bytes(),
        b"From: a@b.org\nMIME-Version: 1.0\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nAAAA",
        b'From: a@example.org\nMIME-Version: 1.0\nContent-Type: multipart/encrypted; boundary="b"\n\n--b\n\nx\n--b--\n',
    ],
)
def test_an_encrypted_message_is_reported_as_one(extract: Extract, content: bytes) -> None:
    error = extract(content, "m.eml", fails=True)
    assert error.error_code == "password_required" and "encrypted message" in error.log


def test_a_header_that_is_nested_too_deeply_is_shown_as_it_is(extract: Extract) -> None:
    assert "the body" in extract(b"From: a@b.c\nTo: " + b"(" * 3000 + b"\n\nthe body")
