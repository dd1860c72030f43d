"""Workbooks and documents from before Office Open XML."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import docx
import pptx
import pytest
from pptx.util import Inches

from docfleet.tools.sdk import words
from tests.unit.tools.builtin.text_extractor.documents import Extract, ole, saved, zipped


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def _xls(stream: str = "Workbook") -> bytes:
    """Two sheets in BIFF8; the first with a text, a number, a date and a formula's result."""

    def label(row: int, column: int, text: str) -> bytes:
        return _record(0x204, struct.pack("<HHHHB", row, column, 0, len(text), 1) + text.encode("utf-16-le"))

    def number(row: int, column: int, value: float, style: int = 0) -> bytes:
        return _record(0x203, struct.pack("<HHHd", row, column, style, value))

    begin = struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 0x600)
    styles = b"".join(_record(0xE0, struct.pack("<HH16x", 0, kind)) for kind in (0, 14, 46))
    sheets = [
        _record(0x809, begin) + label(0, 0, "Größe") + label(0, 2, "Datum") + number(1, 0, 5) + number(1, 1, 0.1 + 0.2)
        + number(1, 2, 45_000, 1) + number(4, 0, 1234.5)
        + number(5, 0, 27.5 / 24, 2) + _record(0x0A, b""),
        _record(0x809, begin) + _record(0x0A, b""),
    ]  # fmt: skip
    head = _record(0x809, struct.pack("<HHHHII", 0x600, 0x05, 0, 0, 0, 0x600)) + styles
    names = [b"One", b"Two"]
    size = len(head) + sum(4 + 8 + len(name) for name in names) + 4
    bounds, at = b"", size
    for name, sheet in zip(names, sheets, strict=True):
        bounds += _record(0x85, struct.pack("<IBBBB", at, 0, 0, len(name), 0) + name)
        at += len(sheet)
    return ole({stream: head + bounds + _record(0x0A, b"") + b"".join(sheets)})


def _xlsb() -> bytes:
    def part(kind: int, body: bytes = b"") -> bytes:
        return (bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])) + bytes([len(body)]) + body

    def text(content: str) -> bytes:
        return struct.pack("<I", len(content)) + content.encode("utf-16-le")

    main = "application/vnd.ms-excel.sheet.binary.macroEnabled.main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    packages = "http://schemas.openxmlformats.org/package/2006"
    sheet = (
        part(129)
        + part(148, struct.pack("<IIII", 0, 0, 0, 1))
        + part(145)
        + part(0, struct.pack("<IIHBBBI", 0, 0, 300, 0, 0, 0, 0))
    )
    sheet += part(6, struct.pack("<II", 0, 0) + text("Größe")) + part(5, struct.pack("<IId", 1, 0, 12.5))
    book = (
        part(131) + part(143) + part(156, struct.pack("<II", 0, 1) + text("rId1") + text("One")) + part(144) + part(132)
    )
    return zipped(
        **{
            "[Content_Types].xml": f'<Types xmlns="{packages}/content-types"><Override PartName="/xl/workbook.bin" '
            f'ContentType="{main}"/></Types>'.encode(),
            "xl__workbook.bin": book,
            "xl___rels__workbook.bin.rels": f'<Relationships xmlns="{packages}/relationships"><Relationship Id="rId1" '
            f'Type="{relations}/worksheet" Target="worksheets/sheet1.bin"/></Relationships>'.encode(),
            "xl__worksheets__sheet1.bin": sheet + part(146) + part(130),
        }
    )


@pytest.mark.parametrize("stream", ["Workbook", "WORKBOOK"])
def test_workbooks_of_excel_97(extract: Extract, tmp_path: Path, stream: str) -> None:
    first, second = extract(_xls(stream), "a.xls").split("\f")
    assert first == "Sheet: One\nGröße\t\tDatum\n5\t0.3\t2023-03-15\n\n1234.5\n27:30:00\n"
    assert second == "Sheet: Two\n[this sheet has no cells with content]\n"
    sheet = words.load(tmp_path / "WORDS")[0]
    assert [word.place for word in sheet.words] == ["A1", "C1", "A2", "B2", "C2", "A5", "A6"] and sheet.name == "One"


def test_binary_workbooks(extract: Extract) -> None:
    assert extract(_xlsb(), "a.xlsb") == "Sheet: One\nGröße\t12.5\n"


@pytest.mark.parametrize(("content", "name", "what"), [(_xls, "a.xls", "XLS"), (_xlsb, "a.xlsb", "XLSB")])
def test_damaged_workbooks_are_reported_as_what_they_are(extract: Extract, content, name: str, what: str) -> None:
    raw = content()
    for cut in (len(raw) // 3, len(raw) * 2 // 3):
        assert extract(raw[:cut], name, fails=True).error_code == "corrupt_file"
    broken = ole({"Workbook": b"\x09\x08broken"}) if what == "XLS" else zipped(
        **{"[Content_Types].xml": b"<x/>", "xl__workbook.bin": b"broken"}
    )  # fmt: skip
    error = extract(broken, "document", fails=True)
    assert error.error_code == "corrupt_file" and what in error.log


def _soffice(folder: Path, answer: bytes) -> Path:
    """A program that answers as LibreOffice does, and notes what it was asked."""
    (folder / "answer").write_bytes(answer)
    program = folder / "soffice"
    program.write_text(
        f'#!/bin/sh\necho "$@" > {folder}/asked\nwhile [ "$1" != --outdir ]; do to=$1; shift; done\n'
        f'[ -s {folder}/answer ] && cp {folder}/answer "$2/document.$to"\nmkdir -p "$2/profile"\n'
    )
    program.chmod(0o755)
    return program


def _document() -> bytes:
    document = docx.Document()
    document.add_paragraph("words of the document")
    return saved(document)


def _presentation() -> bytes:
    slides = pptx.Presentation()
    slide = slides.slides.add_slide(slides.slide_layouts[6])
    slide.shapes.add_textbox(0, 0, Inches(3), Inches(1)).text_frame.text = "words of the slide"
    return saved(slides)


@pytest.mark.parametrize(
    ("stream", "name", "suffix", "answer", "text"),
    [
        ("WordDocument", "a.doc", "docx", _document, "words of the document"),
        ("PowerPoint Document", "a.ppt", "pptx", _presentation, "words of the slide"),
    ],
)
def test_documents_of_office_97(
    extract: Extract, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path, stream: str, name: str, suffix: str, answer, text: str,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("bin")
    content = ole({stream: b"the old document" * 4})
    refused = extract(content, name, fails=True)
    assert refused.error_code == "unsupported_file_type"
    assert "legacy_office" in refused.log and suffix.upper() in refused.log
    monkeypatch.setenv("PATH", str(folder))
    missing = extract(content, name, fails=True, legacy_office="libreoffice")
    assert missing.error_code == "tool_settings_invalid" and "soffice" in missing.log
    _soffice(folder, answer())
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin:/bin")
    assert extract(content, name, legacy_office="libreoffice").strip() == text
    asked = (folder / "asked").read_text().split()
    profile = next(each for each in asked if each.startswith("-env:UserInstallation=file://"))
    assert profile.removeprefix("-env:UserInstallation=file://").startswith(str(tmp_path)) and profile.endswith(
        "/profile"
    )
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_dir()) == []  # the profile is gone
    _soffice(folder, b"")
    failed = extract(content, name, fails=True, legacy_office="libreoffice")
    assert failed.error_code == "corrupt_file" and name[2:].upper() in failed.log
