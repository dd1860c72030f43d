"""Names, charsets and transfer encodings of parts, as the clients of many languages write them."""

from __future__ import annotations

import asyncio
import base64
import quopri
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest

from docfleet.backend.calls.options import Fields
from docfleet.backend.calls.refusals import CallRefused
from docfleet.backend.calls.staging import Area
from docfleet.backend.http.calls import form

FORM = "multipart/form-data; boundary=xx"


def _read(body: bytes, folder: Path, content_type: str = FORM, piece: int = 1 << 20) -> tuple[Area, Fields]:
    class Sent:
        headers: ClassVar = {"Content-Type": content_type}

        async def stream(self) -> AsyncIterator[bytes]:
            for start in range(0, len(body), piece):
                yield body[start : start + piece]

    area = Area(folder, "o", "w", "e")
    try:
        fields = asyncio.run(form.read(Sent(), area, form.SizeLimits(file_mb=1, request_mb=2)))  # type: ignore[arg-type]
    except CallRefused:
        area.discard()
        raise
    return area, fields


def _part(disposition: str | bytes, content: bytes = b"hello", more: str = "") -> bytes:
    disposition = disposition.encode() if isinstance(disposition, str) else disposition
    head = b"--xx\r\nContent-Disposition: " + disposition + b"\r\n" + more.encode() + b"\r\n"
    return head + content + b"\r\n--xx--\r\n"


def _name(disposition: str | bytes, folder: Path, content_type: str = FORM) -> str:
    area, _ = _read(_part(disposition), folder, content_type)
    (file,) = area.files
    assert file.path.read_bytes() == b"hello"
    return file.name


NAMES: dict[str, tuple[str | bytes, str]] = {
    ".NET": (
        "form-data; name=files; filename=\"=?utf-8?B?R3LDtsOfZS5jc3Y=?=\"; filename*=utf-8''Gr%C3%B6%C3%9Fe.csv",
        "Größe.csv",
    ),
    ".NET with quotes": (
        'form-data; name="files"; filename="a.csv"; filename*=utf-8\'\'%22Gr%C3%B6%C3%9Fe.csv%22',
        "Größe.csv",
    ),
    ".NET in the other order": ("form-data; filename*=UTF-8'de'%C3%9C.txt; filename=u.txt; name=files", "Ü.txt"),
    ".NET without another letter": (
        "form-data; name=files; filename=report.txt; filename*=utf-8''report.txt",
        "report.txt",
    ),
    ".NET 4": ('form-data; name=files; filename="=?utf-8?B?w5xiZXJzaWNodC50eHQ=?="', "Übersicht.txt"),
    "requests of old": ("form-data; name=\"files\"; filename*=utf-8''%C3%9Cbersicht.txt", "Übersicht.txt"),
    "another charset": ("form-data; name=\"files\"; filename*=ISO-8859-1''%DCbersicht.txt", "Übersicht.txt"),
    "quoted as a whole": ('form-data; name="files"; filename*="utf-8\'\'%C3%9C.txt"', "Ü.txt"),
    "no charset": ("form-data; name=files; filename*=%C3%9C.txt", "Ü.txt"),
    "a charset that is none": ("form-data; name=files; filename*=x''%C3%9C.txt", "Ü.txt"),
    "a fallback": ("form-data; name=files; filename=\"u.txt\"; filename*=utf-8''%DC.txt", "u.txt"),
    "pieces": (
        "form-data; name=files; filename*0*=utf-8''%C3%9Cber; filename*1*=sicht; filename*2=\".txt\"",
        "Übersicht.txt",
    ),
    "pieces of ASCII": (
        'form-data; name=files; filename*0="a very "; filename*1="long name.txt"',
        "a very long name.txt",
    ),
    "a star within a name": ('form-data; name="files"; filename="a; filename*=b.txt"', "a; filename*=b.txt"),
    "Spring": ('form-data; name="files"; filename="=?UTF-8?Q?Gr=C3=B6=C3=9Fe_1.csv?="', "Größe 1.csv"),
    "JavaMail": (
        'form-data; name="files"; filename="=?UTF-8?Q?Gr=C3=B6=C3=9F?= =?UTF-8?Q?e.csv?="',
        "Größe.csv",
    ),
    "words of a charset": (
        'form-data; name="files"; filename="=?iso-2022-jp?B?GyRCRnxLXBsoQi50eHQ=?="',
        "=?iso-2022-jp?B?GyRCRnxLXBsoQi50eHQ=?=",
    ),
    "words in Japanese": ('form-data; name="files"; filename="=?shift_jis?B?k/qWey50eHQ=?="', "日本.txt"),
    "no words": ('form-data; name="files"; filename="=?utf-8?Q?=FF?=.txt"', "=?utf-8?Q?=FF?=.txt"),
    "aiohttp": ('form-data; name="files"; filename="Gr%C3%B6%C3%9Fe%20%E6%97%A5.csv"', "Größe 日.csv"),
    "a percent sign": ('form-data; name="files"; filename="100%25.txt"', "100%25.txt"),
    "a name as downloaded": ('form-data; name="files"; filename="a%20b.txt"', "a%20b.txt"),
    "percent and letters": ('form-data; name="files"; filename="ä %C3%9C.txt"', "ä %C3%9C.txt"),
    "a browser": ('form-data; name="files"; filename="Größe 📄 %22b%22.txt"', 'Größe 📄 "b".txt'),
    "curl and Go": ('form-data; name="files"; filename="a \\"b\\" c.txt"', 'a "b" c.txt'),
    "without quotes": ("form-data; name=files; filename=Größe.txt", "Größe.txt"),
    "without quotes, with a space": ("form-data; name=files; filename=my report.txt", "my report.txt"),
    "Internet Explorer": ('form-data; name="files"; filename="C:\\Users\\me\\report.txt"', "report.txt"),
    ".NET with a path": ("form-data; name=files; filename*=utf-8''C%3A%5CUsers%5C%C3%9C.txt", "Ü.txt"),
    "PHP": ('form-data; name="files[0]"; filename="a.txt"', "a.txt"),
    "axios": ('form-data; name="files[]"; filename="a.txt"', "a.txt"),
    "a folded header": ('form-data;\r\n name="files";\r\n filename="ä.txt"', "ä.txt"),
    "upper case": ('Form-Data; NAME="files"; FILENAME="ä.txt"', "ä.txt"),
    "a semicolon": ('form-data; name="files"; filename="a;b.txt"', "a;b.txt"),
}


@pytest.mark.parametrize("client", NAMES)
def test_a_file_has_the_name_that_its_client_means(client: str, tmp_path: Path) -> None:
    disposition, name = NAMES[client]
    assert _name(disposition, tmp_path) == name


LATIN = "Übersicht 1.txt"


@pytest.mark.parametrize("named", ["charset=ISO-8859-1; boundary=xx", 'boundary="xx"; Charset="windows-1252"'])
def test_a_name_may_be_in_the_charset_of_the_form(named: str, tmp_path: Path) -> None:
    disposition = f'form-data; name="files"; filename="{LATIN}"'
    assert _name(disposition.encode("latin-1"), tmp_path, f"multipart/form-data; {named}") == LATIN
    assert _name(disposition.encode(), tmp_path, f"multipart/form-data; {named}") == LATIN


@pytest.mark.parametrize(
    ("disposition", "cause"),
    [
        (f'form-data; name="files"; filename="{LATIN}"'.encode("latin-1"), "filename*"),
        ("form-data; name=files; filename*=utf-8''%DC.txt", "filename*"),
        ("form-data; name=files; filename*=utf-8''..%2Fa.txt", "slashes"),
        ("form-data; name=files; filename*=utf-8''a%00b.txt", "control"),
        ('form-data; name=files; filename="=?utf-8?Q?..=2Fa.txt?="', "slashes"),
        ('form-data; name=files; filename="=?utf-8?Q?a=0Ab.txt?="', "control"),
        ('form-data; name="files"; filename=""; filename*=utf-8\'\'', "no name"),
        ("form-data; filename=a.txt", "field ''"),
        ("form-data; name=file; filename=a.txt", "'files'"),
        ("attachment; name=files; filename=a.txt", "Content-Disposition"),
        ('form-data; name="files[a]"; filename=a.txt', "'files'"),
        ('form-data; name="files[0]"', "filename"),
    ],
)
def test_a_name_that_is_none_is_refused_with_its_cause(disposition: str | bytes, cause: str, tmp_path: Path) -> None:
    with pytest.raises(CallRefused) as refused:
        _read(_part(disposition), tmp_path)
    assert refused.value.status == 400 and cause in str(refused.value)


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="a b:c?/=\'()+_,-."',
        "multipart/form-data;boundary=----=_Part_1_123.456/x",
        "Multipart/Form-Data; Boundary=a:b",
        'multipart/form-data; charset=utf-8; boundary="----WebKit"; type="a; boundary=b"',
    ],
)
def test_a_boundary_may_have_any_letter_that_is_allowed(content_type: str, tmp_path: Path) -> None:
    boundary = {"a b": "a b:c?/='()+_,-.", "=_P": "----=_Part_1_123.456/x", "=a:": "a:b", "Web": "----WebKit"}
    (used,) = [value for key, value in boundary.items() if key in content_type]
    area, _ = _read(
        _part("form-data; name=files; filename=a.txt").replace(b"xx", used.encode()), tmp_path, content_type
    )
    assert [file.name for file in area.files] == ["a.txt"]


BINARY = random.Random(7).randbytes(100_000) + b"\r\n\r\n"
TEXT = ("Größe = 5 %\r\n" * 3000 + " end \t").encode()
ENCODINGS: dict[str, tuple[str, bytes, bytes]] = {
    "base64": ("base64", base64.encodebytes(BINARY), BINARY),
    "base64 in one line": ("BASE64 ", base64.b64encode(BINARY[:-1]), BINARY[:-1]),
    "base64 of nothing": ("base64", b"\r\n", b""),
    "quoted-printable": (
        "quoted-printable",
        quopri.encodestring(TEXT.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n"),
        TEXT,
    ),
    "quoted-printable of bytes": ("Quoted-Printable", b"=00=FF=e4\r\n=\r\na=", b"\x00\xff\xe4\r\na"),
    "binary": ("binary", BINARY, BINARY),
    "8bit": ("8bit", TEXT, TEXT),
}


@pytest.mark.parametrize("piece", [1 << 20, 1000, 61])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_file_is_decoded(encoding: str, piece: int, tmp_path: Path) -> None:
    named, sent, content = ENCODINGS[encoding]
    body = _part('form-data; name="files"; filename="a"', sent, f"Content-Transfer-Encoding: {named}\r\n")
    area, _ = _read(body, tmp_path, piece=piece)
    (file,) = area.files
    assert file.path.read_bytes() == content and file.file_size == len(content)


@pytest.mark.parametrize(
    ("encoding", "sent", "status"),
    [
        ("base64", b"hello, world", 400),
        ("base64", b"aGVsbG8", 400),
        ("base64", b"aGVsbG8=aGVsbG8=", 400),
        ("base64", b"aGVs" * 300 + b"aA==" + b"aGVs" * 300, 400),
        ("base64", b"aGVsbG8_", 400),
        ("base64", b"=", 400),
        ("quoted-printable", b"50 =X", 400),
        ("quoted-printable", b"a=\r\n50 == 50", 400),
        ("quoted-printable", b"x" * 100_000, 400),
        ("uuencode", b"x", 415),
        ("gzip", b"x", 415),
    ],
)
@pytest.mark.parametrize("piece", [1 << 20, 61])
def test_what_is_not_so_encoded_is_refused(encoding: str, sent: bytes, status: int, piece: int, tmp_path: Path) -> None:
    body = _part('form-data; name="files"; filename="a"', sent, f"Content-Transfer-Encoding: {encoding}\r\n")
    with pytest.raises(CallRefused) as refused:
        _read(body, tmp_path, piece=piece)
    assert refused.value.status == status and encoding in str(refused.value)


def test_a_decoded_file_has_the_limit_of_files(tmp_path: Path) -> None:
    body = _part(
        'form-data; name="files"; filename="a"',
        base64.b64encode(bytes(1_100_000)),
        "Content-Transfer-Encoding: base64\r\n",
    )
    with pytest.raises(CallRefused) as refused:
        _read(body, tmp_path)
    assert refused.value.status == 413


@pytest.mark.parametrize(
    ("more", "sent", "form_type"),
    [
        ("", "Größe".encode(), FORM),
        ("Content-Type: text/plain; charset=ISO-8859-1\r\n", "Größe".encode("latin-1"), FORM),
        ("Content-Transfer-Encoding: base64\r\n", base64.b64encode("Größe".encode()), FORM),
        ("Content-Transfer-Encoding: 8bit\r\n", "Größe".encode("cp1252"), FORM + "; charset=windows-1252"),
        ("Content-Type: text/plain; charset=unicode_escape\r\n", "Größe".encode(), FORM),
    ],
    ids=["none", "latin", "base64", "form", "unicode_escape"],
)
def test_a_field_has_its_charset(more: str, sent: bytes, form_type: str, tmp_path: Path) -> None:
    _, fields = _read(_part('form-data; name="tags"', sent, more), tmp_path, form_type)
    assert fields == {"tags": ["Größe"]}


@pytest.mark.parametrize("charset", ["utf-8", "x", "zip", "punycode", "utf-16"])
def test_a_field_that_is_not_in_its_charset_is_refused(charset: str, tmp_path: Path) -> None:
    more = f"Content-Type: text/plain; charset={charset}\r\n"
    with pytest.raises(CallRefused):
        _read(_part('form-data; name="tags"', b"\xff\xfeG", more), tmp_path)
