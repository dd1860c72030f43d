"""Bodies nobody should send: a 4xx with its reason, nothing outside the execution's folder, nothing left behind."""

from __future__ import annotations

import gzip
import http.client
import io
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.processes import peak_rss_mb, rss_mb
from docfleet.core.storage import STEPS
from tests.acceptance.fleet import Fleet
from tests.acceptance.published import Published
from tests.waiting import until

MEGABYTE = 1024**2
BIG = 200 * MEGABYTE
MAX_GROWTH_MB = 30
FORM = {"Content-Type": "multipart/form-data; boundary=edge"}
HEAD = b'--edge\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
END = b"\r\n--edge--\r\n"


def files_in(fleet: Fleet) -> set[str]:
    """Without the step results of files that failed: those outlive their execution, as their uploads do."""
    found = (path for path in (fleet.data / "storage").rglob("*") if path.is_file())
    return {str(path) for path in found if STEPS not in path.parts}


@pytest.fixture
def api(fleet: Fleet) -> Iterator[Published]:
    """Fails the test that leaves a file behind, in the storage or beside it."""
    before = files_in(fleet)
    outside = {path.name for path in fleet.data.iterdir()}
    yield Published.publish(fleet)
    until(lambda: not files_in(fleet) - before, what=f"left behind: {files_in(fleet) - before}")
    assert {path.name for path in fleet.data.iterdir()} == outside


def field(name: str, value: bytes = b"x") -> bytes:
    return b'--edge\r\nContent-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n' + value + b"\r\n"


def named(name: str) -> bytes:
    return HEAD.replace(b"a.txt", name.encode()) + b"text" + END


BODIES: dict[str, tuple[dict[str, str], bytes]] = {
    "no boundary": ({"Content-Type": "multipart/form-data"}, HEAD + b"text" + END),
    "another boundary": ({"Content-Type": "multipart/form-data; boundary=other"}, HEAD + b"text" + END),
    "truncated in a file": (FORM, HEAD + b"text"),
    "truncated in a header": (FORM, HEAD[:40]),
    "no end": (FORM, HEAD + b"text\r\n--edge\r\n"),
    "empty": (FORM, b""),
    "no header": (FORM, b"--edge\r\n\r\ntext" + END),
    "no type": ({}, HEAD + b"text" + END),
    "another type": ({"Content-Type": "application/pdf"}, b"%PDF-1.7"),
    "10,000 fields": (FORM, b"".join(field(f"f{number}") for number in range(10_000)) + HEAD + b"text" + END),
    "a long field": (FORM, field("tags", b"x" * MEGABYTE) + HEAD + b"text" + END),
    "a long header": (FORM, HEAD.replace(b"a.txt", b"a" * MEGABYTE) + b"text" + END),
    "no text": (FORM, field("tags", b"\xff\xfe") + HEAD + b"text" + END),
    "a NUL in a field": (FORM, field("tags", b"a\0b") + HEAD + b"text" + END),
    "a path": (FORM, named("../../etc/passwd")),
    "an absolute path": (FORM, named("/etc/passwd")),
    "a NUL in a name": (FORM, named("a\0.txt")),
    "dots": (FORM, named("..")),
    "a file in another field": (FORM, HEAD.replace(b'"files"', b'"tags"') + b"text" + END),
    "files without names": (FORM, field("files") + b"--edge--\r\n"),
    "gzip": ({**FORM, "Content-Encoding": "gzip"}, gzip.compress(bytes(10 * MEGABYTE))),
    "no JSON": ({"Content-Type": "application/json"}, b"{"),
    "a JSON list": ({"Content-Type": "application/json"}, b"[]"),
    "wrong types": ({"Content-Type": "application/json"}, b'{"presigned_urls": [7], "timeout": [], "tags": {}}'),
    "deep JSON": ({"Content-Type": "application/json"}, b'{"custom_data":' + b"[" * 100_000),
    "deep custom data": (FORM, field("custom_data", b'{"a":' * 10_000) + HEAD + b"text" + END),
}


@pytest.mark.parametrize("what", BODIES)
def test_a_hostile_body_is_refused_with_its_reason(fleet: Fleet, api: Published, what: str) -> None:
    headers, body = BODIES[what]
    before = files_in(fleet)
    answer = api.send("POST", body, headers)
    assert answer.status in (400, 413, 415), answer
    assert answer.body["errors"][0]["detail"]
    assert not files_in(fleet) - before


def test_a_client_that_breaks_off_leaves_nothing(fleet: Fleet, api: Published) -> None:
    where = urlsplit(api.url)
    before = files_in(fleet)
    head = f"POST {where.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in {**FORM, **api.authorized}.items())
    with socket.create_connection((where.hostname or "", where.port or 0)) as connection:
        connection.sendall(head.encode() + b"\r\n" + HEAD + bytes(MEGABYTE))
        until(lambda: files_in(fleet) - before, what="the upload was not streamed to the storage")


def test_a_zip_bomb_is_an_error_of_its_file(fleet: Fleet) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("word/document.xml", "w", force_zip64=True) as entry:
            for _ in range(600):
                entry.write(bytes(MEGABYTE))
    api = Published.publish(fleet, {"tool": "text_extractor", "settings": {}})
    answer = api.post(("bomb.docx", bomb.getvalue()), timeout="60")
    assert answer.status == 422, answer
    (item,) = answer.body["message"]["result"]
    assert item["status"] == "Failed" and item["error"]


def test_a_request_that_says_it_is_too_large_is_refused_before_its_body(api: Published) -> None:
    where = urlsplit(api.url)
    connection = http.client.HTTPConnection(where.netloc, timeout=20)
    connection.putrequest("POST", where.path)
    for name, value in {**FORM, **api.authorized, "Content-Length": str(10**12)}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()  # not one byte of the body was sent
    assert answer.status == 413
    connection.close()


def chunks(size: int) -> Iterator[bytes]:
    yield HEAD
    piece = bytes(range(256)) * (MEGABYTE // 256)
    for _ in range(size // MEGABYTE):
        yield piece
    yield END


def test_a_file_that_grows_too_large_is_refused_on_the_way(api: Published) -> None:
    assert api.send("POST", chunks(BIG + 14 * MEGABYTE), FORM).status == 413


def test_200_megabytes_do_not_stay_in_memory(fleet: Fleet, api: Published) -> None:
    backend = fleet.service("backend")
    assert api.post(("warm.txt", "warm"), timeout="60").status == 200
    Path(f"/proc/{backend}/clear_refs").write_text("5")  # the peak begins anew
    before = rss_mb(backend)
    answer = api.send("POST", chunks(BIG), FORM)
    assert answer.status == 200, answer
    assert peak_rss_mb(backend) - before < MAX_GROWTH_MB
    execution_id = answer.body["message"]["execution_id"]
    until(lambda: api.client.execution(execution_id).execution.status.is_final)
    (item,) = api.poll(execution_id).body["message"]
    assert item["result"]["output"]["size"] == BIG, item
