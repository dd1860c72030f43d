"""Documents and tools that would blow up: that file fails with a cause for a person, its neighbours are done."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from docfleet.core.nesting import exceeds_depth
from tests.acceptance.fleet import Fleet, fill

pytestmark = pytest.mark.timeout(600)
MIB = 1024 * 1024
SECONDS = 400.0
RSS_LIMIT = 600 * MIB


def _zip(parts: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return target.getvalue()


def _types(part: str, kind: str) -> bytes:
    return (
        '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/{part}" ContentType="application/vnd.openxmlformats-officedocument.{kind}.main+xml"/>'
        "</Types>"
    ).encode()


def _relations(part: str) -> bytes:
    return (
        '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="r1" Target="'
        + part
        + '" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
        'officeDocument"/></Relationships>'
    ).encode()


def _docx(document: bytes, **more: bytes) -> bytes:
    part = "word/document.xml"
    kind = "wordprocessingml.document"
    return _zip({"[Content_Types].xml": _types(part, kind), "_rels/.rels": _relations(part), part: document, **more})


_WORDS = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_LAUGHS = (
    "<?xml version='1.0'?><!DOCTYPE lolz [<!ENTITY a0 'lol'>"
    + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 11))
    + "]>"
)


def _lying_zip() -> bytes:
    """Says that 300 MB of zeros are 100 bytes."""
    content = bytearray(_docx(b"<w/>", **{"word/media.bin": b"\0" * (300 * MIB)}))
    large, small = struct.pack("<L", 300 * MIB), struct.pack("<L", 100)
    return bytes(content.replace(large, small))


def _pdf(pages: int) -> bytes:
    """A PDF whose pages are all the same object: small, and as many pages as it says."""
    kids = b"3 0 R " * pages
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (pages, kids),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]>>",
    ]
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"xref\n0 4\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return body + table + b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(body)


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer = zlib.compressobj(9)
    row = b"\0" * ((width + 7) // 8 + 1)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _nested_mail(levels: int) -> bytes:
    lines = []
    for level in range(levels):
        lines += [f'Content-Type: multipart/mixed; boundary="b{level}"', "", f"--b{level}"]
    return ("From: a@b.c\nMIME-Version: 1.0\n" + "\n".join(lines) + "\nContent-Type: text/plain\n\nhello\n").encode()


def _mail_with(attachment: bytes) -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"] = "a@example.org", "a bomb"
    message.set_content("words of the mail")
    message.add_attachment(attachment, maintype="application", subtype="zip", filename="42.zip")
    return message.as_bytes()


def documents() -> dict[str, bytes]:
    zeros = _zip({"zeros": b"\0" * (200 * MIB)})
    sheet = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    return {
        "bomb.docx": _docx(b"<w>" + b" " * (600 * MIB) + b"</w>"),
        "lying.docx": _lying_zip(),
        "laughs.docx": _docx(f"{_LAUGHS}<w:document xmlns:w='{_WORDS}'><w:body><w:p><w:r><w:t>&a10;".encode()
            + b"</w:t></w:r></w:p></w:body></w:document>"),
        "external.docx": _docx(f"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><w:document xmlns:w='{_WORDS}'>"
            "<w:body><w:p><w:r><w:t>before &e; after</w:t></w:r></w:p></w:body></w:document>".encode()),
        "deep.docx": _docx(f"<w:document xmlns:w='{_WORDS}'><w:body>".encode() + b"<w:p>" * 200_000),
        "bomb.xlsx": _zip({"[Content_Types].xml": _types("xl/workbook.xml", "spreadsheetml.sheet"), "_rels/.rels":
            _relations("xl/workbook.xml"), "xl/s.xml": sheet + b"<row></row>" * (40 * MIB)}),
        "bomb.zip": _zip({f"{n}.zip": zeros for n in range(10)}),
        "bomb.eml": _mail_with(zeros),
        "deep.eml": _nested_mail(5000),
        "pages.pdf": _pdf(100_000),
        "pixels.png": _png(50_000, 50_000),
        "deep.html": b"<html><body>" + b"<div>" * 200_000 + b"words",
        "deep.rtf": b"{\\rtf1 " + b"{" * 200_000 + b"words",
    }  # fmt: skip


# What becomes of each: a part of its error, or None where it is harmless and done.
OUTCOMES: dict[str, str | None] = {
    "bomb.docx": "archive bomb",
    "lying.docx": "damaged",
    "laughs.docx": "damaged",
    "external.docx": None,
    "deep.docx": "damaged",
    "bomb.xlsx": "archive bomb",
    "bomb.zip": "not supported",
    "bomb.eml": None,
    "deep.eml": "nested",
    "pages.pdf": "100000 pages",
    "pixels.png": "pixels",
    "deep.html": "nested",
    "deep.rtf": None,
}
NEIGHBOURS = {f"good-{number}.txt": f"words {number}" for number in range(3)}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Any:
    fleet = Fleet(tmp_path_factory.mktemp("bombs"), {"TOOL_TIMEOUT_SECONDS": "120", "LEASE_SECONDS": "30"})
    yield fleet
    fleet.stop()


def _peaks(fleet: Fleet) -> dict[str, int]:
    """The most memory each long-lived process ever had, in bytes."""
    found = {}
    for name in ("backend", "runner"):
        found[name] = _peak(fleet.service(name))
    for kind in ("general", "file_processing"):
        found[kind] = _peak(fleet.worker(kind))
    return found


def _peak(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


@pytest.mark.slow
def test_documents_that_blow_up(fleet: Fleet, tmp_path: Path) -> None:
    before = {name: fleet.service(name) for name in ("backend", "runner")}
    bombs = documents()
    assert set(bombs) == set(OUTCOMES)
    run = fleet.begin(fill(tmp_path / "in", {**bombs, **NEIGHBOURS}), "text_extractor").wait(SECONDS)
    found = run.by_name
    for name, file in found.items():
        print(name, file.status, file.error)
    for name in NEIGHBOURS:
        assert found[name].status == "COMPLETED"
    for name, part in OUTCOMES.items():
        assert found[name].status == ("COMPLETED" if part is None else "ERROR"), (name, found[name].error)
        if part is not None:
            error = found[name].error or ""
            assert part in error and len(error) > 20 and "internal error" not in error, (name, error)
    assert not [row for row in run.rows() if "root:" in str(row)], "an external entity was read"
    assert {name: fleet.service(name) for name in before} == before, "a server was restarted"
    assert max(_peaks(fleet).values()) < RSS_LIMIT, _peaks(fleet)


def test_tools_that_answer_with_depth(fleet: Fleet, tmp_path: Path) -> None:
    files = {
        "nest-150.txt": "nest 150",
        "nest-500.txt": "nest 500",
        "nest-900.txt": "nest 900",
        "nest-100000.txt": "nest 100000",
        "count-40.txt": "count 40",
        "count-900.txt": "count 900",
        "count-50000.txt": "count 50000",
        "print.txt": "print lines",
    }
    fine = {"nest-150.txt", "print.txt"}
    run = fleet.run(fill(tmp_path / "in", {**files, **NEIGHBOURS}), {"tool": "actor", "settings": {"stage": "/x"}})
    for name, file in run.by_name.items():
        expected = "COMPLETED" if name in fine or name in NEIGHBOURS else "ERROR"
        assert file.status == expected, (name, file.error)
        if expected == "ERROR":
            assert file.error and ("nested" in file.error or "parse" in file.error or "read" in file.error), file.error


def test_depth_is_counted_without_recursion() -> None:
    deep: Any = []
    for _ in range(31):
        deep = [deep]
    assert (
        not exceeds_depth(deep)
        and exceeds_depth([deep])
        and exceeds_depth({"a": (deep,)})
        and not exceeds_depth("text")
        and not exceeds_depth([])
    )
    for _ in range(200_000):
        deep = [deep]
    assert exceeds_depth(deep)
