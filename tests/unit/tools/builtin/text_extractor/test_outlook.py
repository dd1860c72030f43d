"""Outlook messages of all code pages and forms of the body."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from tests.unit.tools.builtin.text_extractor.documents import Extract, ole

_WIDE, _NARROW, _BINARY = 0x1F, 0x1E, 0x102
_BODY, _HTML, _RTF, _SUBJECT, _CLASS = 0x1000, 0x1013, 0x1009, 0x37, 0x1A


def _properties(prefix: str, header: int, values: dict[int, Any], fixed: dict[int, int]) -> dict[str, bytes]:
    streams = {}
    table = bytes(header)
    for identity, value in values.items():
        kind = _BINARY if isinstance(value, tuple) else _NARROW if isinstance(value, bytes) else _WIDE
        content = (
            value[0] if isinstance(value, tuple) else value if isinstance(value, bytes) else value.encode("utf-16-le")
        )
        streams[f"{prefix}__substg1.0_{identity:04X}{kind:04X}"] = content
        table += struct.pack("<HHIII", kind, identity, 6, len(content), 0)
    for identity, number in fixed.items():
        table += struct.pack("<HHIQ", 3, identity, 6, number)
    return streams | {f"{prefix}__properties_version1.0": table}


def _msg(values: dict[int, Any], fixed: dict[int, int] | None = None, **inner: dict[str, bytes]) -> bytes:
    streams = _properties("", 32, {_CLASS: "IPM.Note", _SUBJECT: "Order"} | values, fixed or {})
    for more in inner.values():
        streams |= more
    return ole(streams)


def _rtf(content: bytes) -> tuple[bytes]:
    return (struct.pack("<II4sI", len(content) + 12, len(content), b"MELA", 0) + content,)


def _attachment(number: int, values: dict[int, Any]) -> dict[str, bytes]:
    return _properties(f"__attach_version1.0_#{number:08X}/", 8, values, {})


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({_BODY: "plain\r\nwords\0"}, "plain\nwords"),
        ({_RTF: _rtf(rb"{\rtf1\ansi order 4711\par second}")}, "order 4711\nsecond"),
        ({_RTF: _rtf(rb"{\rtf1\ansi\fromhtml1 {\*\htmltag64 <p>}\htmlrtf \par\htmlrtf0 in HTML}")}, "in HTML"),
        ({_HTML: ("<p>Größe</p>".encode(),)}, "Größe"),
        ({_HTML: "<p>as text</p>"}, "as text"),
        ({_BODY: "See the HTML version", _HTML: (b"<p>Invoice 4711 is due</p>",)}, "Invoice 4711 is due"),
        ({_BODY: " ", _HTML: (b"<p>Invoice</p>",)}, "Invoice"),
    ],
)
def test_bodies(extract: Extract, values: dict[int, Any], text: str) -> None:
    assert extract(_msg(values), "a.msg") == f"Subject: Order\n\n{text}\n"


@pytest.mark.parametrize(
    ("page", "encoding", "text"),
    [
        (950, "big5", "請款單內容"),
        (50220, "cp932", "請求書"),
        (50220, "iso2022_jp", "請求書"),
        (932, "cp932", "請求書"),
        (936, "gbk", "发票"),
        (949, "cp949", "청구서"),
        (1251, "cp1251", "Счёт"),
        (20866, "koi8-r", "Счёт"),
        (65001, "cp1252", "Grüße für Müller"),
        (1252, "utf-8", "Grüße für Müller"),
        (20127, "cp1252", "5 €"),
        (28605, "iso8859_15", "5 €"),
        (99999, "cp1252", "Grüße"),
        (0, "cp1252", "Grüße"),
    ],
)
def test_code_pages(extract: Extract, page: int, encoding: str, text: str) -> None:
    content = _msg(
        {_BODY: text.encode(encoding) + b"\0", _SUBJECT: text.encode(encoding)}, {0x3FDE: page, 0x3FFD: page}
    )
    assert extract(content, "a.msg") == f"Subject: {text}\n\n{text}\n"


def test_people_and_attachments(extract: Extract) -> None:
    def person(number: int, name: str, address: str, kind: int) -> dict[str, bytes]:
        path = f"__recip_version1.0_#{number:08X}/"
        return _properties(path, 8, {0x3001: name, 0x39FE: address}, {0x0C15: kind})

    content = _msg(
        {0x0C1A: "Ada", 0x5D01: "ada@example.org", _BODY: "words"},
        {0x0039: 133_000_000_000_000_000},
        first=person(0, "Bob", "bob@example.org", 1),
        second=person(1, "eve@example.org", "eve@example.org", 2),
        file=_attachment(0, {0x3707: "Rechnung.pdf\0", 0x3701: (b"x",)}),
    )
    assert extract(content, "a.msg").split("\n") == [
        "From: Ada <ada@example.org>", "To: Bob <bob@example.org>", "Cc: eve@example.org",
        "Date: 2022-06-18T04:26:40+00:00", "Subject: Order", "", "words", "",
    ]  # fmt: skip


def test_a_message_within_a_message(extract: Extract) -> None:
    path = "__attach_version1.0_#00000000/"
    inner = _properties(
        f"{path}__substg1.0_3701000D/", 24, {_CLASS: "IPM.Note", _SUBJECT: "Inner", _BODY: "inside"}, {}
    )
    content = _msg({_BODY: "outside"}, attached=_attachment(0, {0x3001: "Inner"}) | inner)
    assert extract(content, "a.msg") == "Subject: Order\n\noutside\n\nSubject: Inner\n\ninside\n"


def test_encrypted_and_signed_messages(extract: Extract) -> None:
    signed = _attachment(0, {0x3707: "smime.p7m", 0x3701: (b"Content-Type: text/plain\n\nsigned words",)})
    assert "signed words" in extract(_msg({_CLASS: "IPM.Note.SMIME.MultipartSigned"}, file=signed), "a.msg")
    assert "signed words" in extract(_msg({_CLASS: "IPM.Note.SMIME"}, file=signed), "a.msg")
    secret = _attachment(0, {0x3707: "smime.p7m", 0x3701: (b"0\x80secret",)})
    assert extract(_msg({_CLASS: "IPM.Note.SMIME"}, file=secret), "a.msg", fails=True).error_code == "password_required"
