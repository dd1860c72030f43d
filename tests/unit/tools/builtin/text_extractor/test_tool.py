"""Documents that cannot be read, and random damage."""

from __future__ import annotations

import contextlib
import io
import json
import random
import struct
import zlib
from pathlib import Path

import docx
import openpyxl
import pytest
from odf.opendocument import OpenDocumentText
from odf.text import P as Paragraph

from docfleet.tools.builtin.text_extractor.tool import tool
from docfleet.tools.sdk import run_tool
from tests.unit.tools.builtin.text_extractor.documents import Extract, pdf, picture, saved, zipped


def _png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"%PDF-1.7\nnot really", "a.pdf", "corrupt_file"),
        (pdf([(50, 700, "x")])[:400], "a.pdf", "corrupt_file"),
        (picture("x", "JPEG")[:300], "a.jpg", "corrupt_file"),
        (picture("x")[:200], "a.png", "corrupt_file"),
        (_png_header(60_000, 60_000), "a.png", "file_too_large"),
        (saved(docx.Document())[:-200], "a.docx", "corrupt_file"),
        (zipped(**{"[Content_Types].xml": b"<x/>", "word__document.xml": b"<broken"}), "a.docx", "corrupt_file"),
        (zipped(**{"[Content_Types].xml": b"<x/>", "xl__workbook.xml": b"<broken"}), "a.xlsx", "corrupt_file"),
        (zipped(**{"[Content_Types].xml": b"<x/>", "ppt__presentation.xml": b""}), "a.pptx", "corrupt_file"),
        (zipped(mimetype=b"application/vnd.oasis.opendocument.text"), "a.odt", "corrupt_file"),
        (zipped(mimetype=b"application/epub+zip"), "a.epub", "corrupt_file"),
        (
            zipped(**{"[Content_Types].xml": b"<x/>", "word__document.xml": bytes(60_000_000)}),
            "b.docx",
            "file_too_large",
        ),
        (zipped(a=b"x"), "a.zip", "unsupported_file_type"),
        (b"\x7fELF\x02\x01\x01" + bytes(200), "program.pdf", "unsupported_file_type"),
        (bytes(range(256)) * 8, "noise.bin", "unsupported_file_type"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "a.msg", "corrupt_file"),
        (b"", "a.pdf", "empty_file"),
    ],
)
def test_what_cannot_be_read_has_a_cause(extract: Extract, content: bytes, name: str, code: str) -> None:
    error = extract(content, name, fails=True)
    assert error.error_code == code, error.log
    assert "Traceback" not in error.log and len(error.log) > 20


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["docx", "xlsx", "pdf", "png", "odt"])
def test_random_damage_is_never_a_fault_of_the_tool(extract: Extract, kind: str, seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    content = bytearray(_document(kind))
    for _ in range(4**seed // 8 + 1):
        content[dice.randrange(len(content))] = dice.randrange(256)
    if seed % 2:
        del content[dice.randrange(1, len(content)) :]
    for copy in ("INFILE", "SOURCE"):
        (tmp_path / copy).write_bytes(content)
    (tmp_path / "METADATA.json").write_text(json.dumps({"source_name": f"a.{kind}", "tool_metadata": []}))
    with contextlib.redirect_stderr(io.StringIO()) as trace:
        run_tool(tool, {}, tmp_path)
    assert trace.getvalue() == ""


def _document(kind: str) -> bytes:
    if kind == "pdf":
        return pdf([(50, 700, "x" * 50)] * 20)
    if kind == "png":
        return picture("Harbour")
    if kind == "odt":
        text = OpenDocumentText()
        text.text.addElement(Paragraph(text="hello"))
        return saved(text)
    if kind == "docx":
        return saved(docx.Document())
    return saved(openpyxl.Workbook())
