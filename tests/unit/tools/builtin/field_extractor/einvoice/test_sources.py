"""Files inside of a PDF, and documents that are XML."""

from __future__ import annotations

from pathlib import Path

import pytest

from docfleet.tools.builtin.field_extractor.einvoice.sources import XmlFile, sources
from tests.unit.tools.builtin.field_extractor.einvoice.documents import pdf, pdf_with_associated_file


def test_every_embedded_file_counts_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf(["x"], {"terms.txt": b"t", "daten": b"<a/>"}))
    # A name tree is sorted by name.
    assert set(sources(path, "a.pdf", is_pdf=True)) == {XmlFile("terms.txt", b"t"), XmlFile("daten", b"<a/>")}


@pytest.mark.parametrize("by_note", [True, False])
def test_a_file_in_no_name_tree_counts_too(tmp_path: Path, by_note: bool) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf_with_associated_file(b"<a/>", by_note=by_note))
    assert list(sources(path, "a.pdf", is_pdf=True)) == [XmlFile("a.xml", b"<a/>")]


@pytest.mark.parametrize("content", [b"<a/>", b"\xef\xbb\xbf\n<a/>", "<a/>".encode("utf-16")])
def test_a_document_may_be_the_xml_itself(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    assert list(sources(path, "a.xml", is_pdf=False)) == [XmlFile("a.xml", content)]


def test_any_other_document_has_none(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"Invoice <1>")
    assert not list(sources(path, "a.txt", is_pdf=False))


def test_a_damaged_pdf_has_none(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.7 /EF nothing")
    assert not list(sources(path, "a.pdf", is_pdf=True))
