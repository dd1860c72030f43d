"""The type of a document comes from its content first."""

from __future__ import annotations

from pathlib import Path

import pytest

from docfleet.tools.sdk.media import detect


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
