"""The type of a document comes from its content first."""

from __future__ import annotations

from pathlib import Path

import pytest

from docfleet.tools.sdk import media
from docfleet.tools.sdk.media import detect
from tests.unit.tools.builtin.text_extractor.documents import zipped


@pytest.mark.parametrize(
    ("content", "name", "mime"),
    [
        (b"a,b\n1,2\n", "x.csv", "text/csv"),
        (b"hello", "x.pdf", "text/plain"),
        (b"{\\rtf1 hello}", "x.doc", "application/rtf"),
        (b"Received: from x\nFrom: a@b\nSubject: s\nMIME-Version: 1.0\n\nbody", "", "message/rfc822"),
        (b"Dear all,\nFrom: now on\n", "", "text/plain"),
        (b"  <!-- c --><HTML><body>", "x.txt", "text/html"),
        (b"\xef\xbb\xbf<!DOCTYPE html>", "", "text/html"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "", "image/webp"),
        (b"junk before\n%PDF-1.4", "", "application/pdf"),
        (b"", "x.txt", "application/x-empty"),
    ],
)
def test_the_type_comes_from_the_content_first(tmp_path: Path, content: bytes, name: str, mime: str) -> None:
    path = tmp_path / "INFILE"
    path.write_bytes(content)
    assert detect(path, name) == mime


@pytest.mark.parametrize(
    ("content", "name", "mime"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a.jpg", media.HEIC),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "", media.AVIF),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", "", media.AVIF),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "", media.MP4),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "", media.JPEG_2000),
        (b"\x78\x9f\x3e\x22more", "winmail.dat", media.TNEF),
        (b"7z\xbc\xaf\x27\x1c\0\0", "", "application/x-7z-compressed"),
        (bytes(range(256)) * 4, "a.doc", media.OLE),
        (bytes(range(256)) * 4, "a.docx", media.DOCX),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><text>x</text></svg>", "a.svg", media.SVG),
    ],
)
def test_what_is_not_read_is_still_known(tmp_path: Path, content: bytes, name: str, mime: str) -> None:
    path = tmp_path / "INFILE"
    path.write_bytes(content)
    assert detect(path, name) == mime


def test_archives_that_are_cut_off_are_damaged_and_not_unsupported(tmp_path: Path) -> None:
    path = tmp_path / "INFILE"
    package = {"[Content_Types].xml": b"x" * 50, "_rels__.rels": b"y" * 50, "word__document.xml": bytes(range(256)) * 9}
    whole = zipped(**package)
    for size, name, mime in (
        (len(whole) - 40, "", media.DOCX),
        (120, "a.docx", media.DOCX),
        (120, "a.bin", media.DAMAGED_ARCHIVE),
        (30, "", media.DAMAGED_ARCHIVE),
    ):
        path.write_bytes(whole[:size])
        assert detect(path, name) == mime
    path.write_bytes(zipped(a=b"x"))
    assert detect(path, "a.zip") == media.ZIP
    for part, mime in (("Index__Document.iwa", media.IWORK), ("visio__document.xml", media.VISIO)):
        path.write_bytes(zipped(**{part: b"x", "[Content_Types].xml": b"<x/>"}))
        assert detect(path, "") == mime
