# ruff: noqa: RUF001 - letters of all scripts are the point
"""Mail with alternatives, attachments and encryption."""

from __future__ import annotations

import base64

import pytest

from tests.unit.tools.builtin.text_extractor.documents import Extract, message


def test_mail_with_alternatives_and_attachments(extract: Extract) -> None:
    mail = message()
    mail.add_alternative("<p>html body</p>", subtype="html")
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="Rechnung ä.pdf")
    found = extract(mail.as_bytes(), "m.eml", output="json")
    text = found["text"]
    assert "Subject: Prüfung" in text and "plain body" in text and "html body" not in text
    # Nobody wrote their names into the mail: a field is not looked for in them.
    assert "Rechnung" not in text and found["metadata"]["attachments"] == ["Rechnung ä.pdf"]
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


def _mail(content_type: str, body: str, *headers: str) -> bytes:
    head = ["From: a@example.org", "Subject: x", "MIME-Version: 1.0", f"Content-Type: {content_type}", *headers]
    return "\n".join([*head, "", body]).encode()


def _parts(*parts: str, boundary: str = "B") -> str:
    return "".join(f"--{boundary}\n{part}\n" for part in parts) + f"--{boundary}--\n"


def _body(text: str) -> list[str]:
    return text.split("\n\n", 1)[1].split()


_MIXED = 'multipart/mixed; boundary="B"'
_ALTERNATIVE = 'multipart/alternative; boundary="B"'
_PDF = 'Content-Type: application/pdf; name="a.pdf"\nContent-Disposition: attachment; filename="a.pdf"\n\nAAAA'


@pytest.mark.parametrize(
    "head",
    [
        'Content-Type: text/plain; name="body.txt"\nContent-Disposition: inline; filename="body.txt"',
        'Content-Type: text/plain; name="body.txt"',
        'Content-Type: text/html; name="ATT1.htm"\nContent-Disposition: inline',
    ],
)
def test_a_text_with_a_name_is_body_unless_it_is_attached(extract: Extract, head: str) -> None:
    text = extract(_mail(_MIXED, _parts(f"{head}\n\nbody words", _PDF)), "m.eml")
    assert _body(text) == ["body", "words"]


def test_a_text_that_is_attached_is_the_body_where_there_is_no_other(extract: Extract) -> None:
    attached = 'Content-Type: text/plain; name="n.txt"\nContent-Disposition: attachment; filename="n.txt"\n\nnote words'
    assert "note words" in extract(_mail(_MIXED, _parts(attached, _PDF)), "m.eml")
    shown = "Content-Type: text/plain\n\nbody words"
    assert "note words" not in extract(_mail(_MIXED, _parts(shown, attached)), "m.eml")
    alone = _mail("text/plain", "body words", "Content-Disposition: attachment; filename=b.txt")
    assert "body words" in extract(alone, "m.eml")


def test_html_is_read_where_the_plain_text_is_a_stub(extract: Extract) -> None:
    html = "Content-Type: text/html\n\n<p>Invoice 4711 over 12.50</p>"
    stub = "Content-Type: text/plain\n\nYour mail program does not show HTML."
    assert _body(extract(_mail(_ALTERNATIVE, _parts(stub, html)), "m.eml")) == ["Invoice", "4711", "over", "12.50"]
    full = "Content-Type: text/plain\n\nInvoice 4711 over 12.50, please pay"
    assert _body(extract(_mail(_ALTERNATIVE, _parts(full, html)), "m.eml"))[-1] == "pay"
    other = "Content-Type: text/plain\n\nThe code is 99"
    text = extract(_mail(_ALTERNATIVE, _parts(other, html)), "m.eml")
    assert "code is 99" in text and "Invoice 4711" in text


def test_a_calendar_is_not_the_body_and_pictures_of_html_are_no_attachments(extract: Extract) -> None:
    image = 'Content-Type: image/png; name="logo.png"\nContent-ID: <1>\nContent-Transfer-Encoding: base64\n\nAAAA'
    related = 'Content-Type: multipart/related; boundary="C"\n\n' + _parts(
        "Content-Type: text/html\n\n<p>meeting at noon</p>", image, boundary="C"
    )
    plain = "Content-Type: text/plain\n\nmeeting at noon"
    calendar = "Content-Type: text/calendar\n\nBEGIN:VCALENDAR"
    assert _body(extract(_mail(_ALTERNATIVE, _parts(plain, related, calendar)), "m.eml")) == ["meeting", "at", "noon"]


@pytest.mark.parametrize("kind", ["delivery-status", "disposition-notification", "feedback-report"])
def test_reports_say_what_happened(extract: Extract, kind: str) -> None:
    report = f"Content-Type: message/{kind}\n\nReporting-MTA: dns; mx\n\nDiagnostic-Code: smtp; 550 no such user\n"
    notice = "Content-Type: text/plain\n\nNot delivered."
    text = extract(_mail('multipart/report; boundary="B"', _parts(notice, report)), "m.eml")
    assert "Not delivered." in text and "Diagnostic-Code: smtp; 550 no such user" in text


@pytest.mark.parametrize("content_type", ['multipart/mixed; boundary="AAA"', "multipart/mixed"])
def test_a_boundary_that_is_another_than_the_header_says(extract: Extract, content_type: str) -> None:
    parts = _parts("Content-Type: text/plain; charset=utf-8\n\nGröße words", _PDF, boundary="B")
    assert _body(extract(_mail(content_type, parts), "m.eml")) == ["Größe", "words"]
    assert _body(extract(_mail(content_type, "no parts at all"), "m.eml")) == ["no", "parts", "at", "all"]


def test_headers_beyond_ascii_are_of_the_charset_that_the_message_declares(extract: Extract) -> None:
    mail = "From: Jörg <a@b.c>\nSubject: Größe\nMIME-Version: 1.0\nContent-Type: text/plain; charset={0}\n\nGrüße"
    for charset in ("iso-8859-1", "utf-8"):
        text = extract(mail.format(charset).encode(charset), "m.eml")
        assert text == "From: Jörg <a@b.c>\nSubject: Größe\n\nGrüße\n"
    russian = "From: a@b.c\nSubject: Счёт\nMIME-Version: 1.0\nContent-Type: text/plain; charset=koi8-r\n\nУра"
    assert "Subject: Счёт" in extract(russian.encode("koi8-r"), "m.eml")


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("=?iso-8859-1?Q?5_=80?=", "5 €"),
        ("=?utf-8?B?R3LDtsM=?= =?utf-8?B?n2U=?=", "Größe"),
        ("=?x-unknown?Q?Gr=F6=DFe?=", "Größe"),
        ("=?utf-8?B?broken", "=?utf-8?B?broken"),
        ("plain\n folded", "plain folded"),
    ],
)
def test_encoded_words(extract: Extract, header: str, text: str) -> None:
    assert f"Subject: {text}\n" in extract(f"From: a@b.c\nSubject: {header}\nMIME-Version: 1.0\n\nx".encode(), "m.eml")


def test_the_charset_of_a_body_is_read_as_mail_programs_do(extract: Extract) -> None:
    head = "From: a@b.c\nMIME-Version: 1.0\nContent-Type: text/{0}; charset={1}\nContent-Transfer-Encoding: 8bit\n\n"
    assert "€ 5 “ok”" in extract(head.format("plain", "iso-8859-1").encode() + b"\x80 5 \x93ok\x94", "m.eml")
    assert "€ 5" in extract(head.format("html", "us-ascii").encode() + b"<p>\x80 5</p>", "m.eml")
    assert "Größe" in extract(head.format("plain", "utf-8").encode() + "Größe".encode("cp1252"), "m.eml")


def _signed(content: bytes, *, is_streamed: bool) -> bytes:
    from asn1crypto import cms

    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [],
            "encap_content_info": {"content_type": "data", "content": content},
            "signer_infos": [],
        }
    )
    der = cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump()
    if not is_streamed:
        return bytes(der)
    half = len(content) // 2
    whole = b"\x04" + bytes([len(content)]) + content
    chunks = b"".join(b"\x04" + bytes([len(part)]) + part for part in (content[:half], content[half:]))
    # The octet string and all around it get indefinite lengths.
    inner = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01" + b"\xa0\x80\x24\x80" + chunks + b"\0\0\0\0"
    assert whole in der
    data = b"\x02\x01\x01\x31\x00" + b"\x30\x80" + inner + b"\0\0" + b"\x31\x00"
    return b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80" + data + b"\0" * 6


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("smime_type", ["; smime-type=signed-data", ""])
def test_a_signed_message_is_read_without_its_signature(extract: Extract, is_streamed: bool, smime_type: str) -> None:
    raw = _signed(b"Content-Type: text/plain\r\n\r\nsigned words of the mail", is_streamed=is_streamed)
    mail = _mail(
        f'application/pkcs7-mime{smime_type}; name="smime.p7m"',
        base64.b64encode(raw).decode(),
        "Content-Transfer-Encoding: base64",
        "Content-Disposition: attachment; filename=smime.p7m",
    )
    assert _body(extract(mail, "m.eml")) == ["signed", "words", "of", "the", "mail"]
