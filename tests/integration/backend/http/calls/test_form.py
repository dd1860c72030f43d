"""Bodies of calls that are wrong, too large or hostile: a 4xx with the reason, and nothing is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from docfleet.backend.calls.refusals import CallRefused
from docfleet.backend.calls.staging import Area
from docfleet.backend.http.calls import form
from tests.integration.backend.calls.uploads import left_behind

PART = b'--xx\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nhello\r\n'
END = b"--xx--\r\n"


def _send(invoices: Any, content: Any, content_type: str = "multipart/form-data; boundary=xx", **headers: str) -> Any:
    sent = {"Authorization": f"Bearer {invoices.key}", "Content-Type": content_type} | headers
    return invoices.api.client.post(invoices.path, content=content, headers=sent)


def _field(name: str, value: bytes) -> bytes:
    return f'--xx\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"


def _file(name: str, field: str = "files") -> bytes:
    return f'--xx\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\nx\r\n'.encode()


_BAD = {
    "empty": (b"", 400),
    "truncated in a file": (PART[:-4], 400),
    "truncated after a file": (PART, 400),
    "no end of a header": (b'--xx\r\nContent-Disposition: form-data; name="files', 400),
    "garbage": (b"\0\xff" * 1000, 400),
    "another boundary": (PART.replace(b"--xx", b"--yy") + b"--yy--\r\n", 400),
    "no disposition": (b"--xx\r\nContent-Type: text/plain\r\n\r\nhi\r\n" + END, 400),
    "no files": (_field("timeout", b"1") + END, 400),
    "10,000 fields": (b"".join(_field(f"f{n}", b"1") for n in range(10_000)) + END, 400),
    "101 fields": (PART + b"".join(_field(f"f{n}", b"1") for n in range(101)) + END, 400),
    "a long field": (PART + _field("tags", b"x" * 70_000) + END, 400),
    "a long header": (b"--xx\r\nX: " + b"y" * 10_000 + b"\r\n\r\n1\r\n" + END, 400),
    "33 files": (b"".join(_file(f"{n}.txt") for n in range(33)) + END, 400),
    "a path as name": (_file("../../etc/passwd") + END, 400),
    "a path of Windows": (_file("..\\\\..\\\\boot.ini") + END, 400),
    "a NUL in the name": (_file("a\0b.txt") + END, 400),
    "a dot as name": (_file("..") + END, 400),
    "a name of 300 characters": (_file("x" * 300) + END, 400),
    "a name that is no UTF-8": (PART.replace(b"a.txt", b"\xff\xfe.txt") + END, 400),
    "a file without a name": (_file("") + END, 400),
    "a file in another field": (_file("a.txt", "upload") + END, 400),
    "a text as file": (_field("files", b"hello") + END, 400),
    "a field that is no UTF-8": (PART + _field("tags", b"\xff") + END, 400),
    "a NUL in a field": (PART + _field("tags", b"a\0b") + END, 400),
    "a timeout of 301": (PART + _field("timeout", b"301") + END, 400),
    "a timeout of -2": (PART + _field("timeout", b"-2") + END, 400),
    "a timeout of 1.5": (PART + _field("timeout", b"1.5") + END, 400),
    "a timeout in other digits": (PART + _field("timeout", "\uff13\uff10".encode()) + END, 400),
    "a timeout with an underscore": (PART + _field("timeout", b"1_0") + END, 400),
    "two timeouts": (PART + _field("timeout", b"1") * 2 + END, 400),
    "a flag of 7": (PART + _field("include_metadata", b"7") + END, 400),
    "two tags": (PART + _field("tags", b"a,b") + END, 400),
    "a bad tag": (PART + _field("tags", b"1a") + END, 400),
    "a list as custom_data": (PART + _field("custom_data", b"[1]") + END, 400),
    "custom_data of 33 levels": (PART + _field("custom_data", b'{"a":' + b"[" * 32 + b"]" * 32 + b"}") + END, 400),
    "custom_data of 900 levels": (PART + _field("custom_data", b'{"a":' * 900 + b"1" + b"}" * 900) + END, 400),
    "no JSON as custom_data": (PART + _field("custom_data", b"{") + END, 400),
    "a review queue": (PART + _field("hitl_queue_name", b"q") + END, 400),
    "a blank review queue": (PART + _field("hitl_queue_name", b"") + END, 400),
    "a URL that is no S3": (_field("presigned_urls", b"https://example.com/a") + END, 400),
    "a URL that is no https": (_field("presigned_urls", b"http://b.s3.amazonaws.com/a") + END, 400),
    "a URL of a look-alike": (_field("presigned_urls", b"https://s3.amazonaws.com.evil.org/a") + END, 400),
    "a URL with a user": (_field("presigned_urls", b"https://s3.amazonaws.com@evil.org/a") + END, 400),
}


@pytest.mark.parametrize("case", _BAD)
def test_what_is_wrong_is_refused_and_leaves_nothing(api: Any, case: str) -> None:
    invoices = api.publish()
    content, status = _BAD[case]
    answer = _send(invoices, content)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["detail"] and answer.json()["type"] in ("validation_error", "client_error")
    assert left_behind(api) == [] and api.recorder.sent == []
    assert api.get("/api/v1/executions")["executions"] == []


@pytest.mark.parametrize(
    ("content_type", "content", "status"),
    [
        ("multipart/form-data", PART + END, 400),
        ("multipart/form-data; boundary=", PART + END, 400),
        ('multipart/form-data; boundary="a\nb"', PART + END, 400),
        ("text/plain", PART + END, 415),
        ("", PART + END, 415),
        ("application/json", b"[1]", 400),
        ("application/json", b"{", 400),
        ("application/json", b'{"files": ["a"]}', 400),
        ("application/json", b'{"presigned_urls": [1]}', 400),
        ("application/json", b'{"presigned_urls": "https://example.com"}', 400),
        ("application/json", b"[" * 100_000, 400),
        ("application/json", b" " * (2 * 1024 * 1024), 413),
        ("application/x-www-form-urlencoded", b"timeout=1", 400),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(1000)), 400),
    ],
)
def test_another_body_is_refused(api: Any, content_type: str, content: bytes, status: int) -> None:
    invoices = api.publish()
    if "\n" in content_type:
        content_type = content_type.replace("\n", " ")
    answer = _send(invoices, content, content_type)
    assert answer.status_code == status, answer.text
    assert left_behind(api) == []


def test_an_encoded_body_is_refused(api: Any) -> None:
    assert _send(api.publish(), b"\x1f\x8b", **{"Content-Encoding": "gzip"}).status_code == 415


def test_what_is_too_large_is_refused_before_it_is_read(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "_MB", 1000)
    invoices = api.publish()
    read = 0

    def body(size: int) -> Any:
        nonlocal read
        yield PART[:-7]
        for _ in range(size // 1000):
            read += 1000
            yield b"y" * 1000
        yield b"\r\n" + END

    def send(size: int, **headers: str) -> Any:
        return _send(invoices, body(size), **headers)

    assert send(90_000).status_code == 200
    answer = send(150_000)
    assert answer.status_code == 413 and answer.headers["connection"] == "close"
    assert "a.txt" in answer.json()["errors"][0]["detail"]
    assert send(150_000, **{"Content-Length": "2000000"}).status_code == 413
    many = b"".join(_file(f"{n}.txt").replace(b"\r\n\r\nx", b"\r\n\r\n" + b"z" * 99_000) for n in range(12)) + END
    assert _send(invoices, many).status_code == 413
    assert len(api.recorder.sent) == 1


def test_a_client_that_falls_silent_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        headers: ClassVar = {"Content-Type": "multipart/form-data; boundary=xx"}

        async def stream(self) -> AsyncIterator[bytes]:
            yield PART[:-4]
            await asyncio.Event().wait()

    monkeypatch.setattr(form, "MAX_SILENCE_SECONDS", 0.05)
    area = Area(tmp_path, "o", "w", "e")

    async def call() -> None:
        async with asyncio.timeout(5):
            await form.read(Silent(), area, form.SizeLimits(file_mb=1, request_mb=1))  # type: ignore[arg-type]

    with pytest.raises(CallRefused) as refused:
        asyncio.run(call())
    assert refused.value.status == 408 and refused.value.close
    area.discard()
    assert list(tmp_path.rglob("*.part")) == []
