"""Files inside of a PDF, and documents that are XML."""

from __future__ import annotations

import base64
from email.message import EmailMessage
from pathlib import Path

import pytest

from docfleet.tools.builtin.field_extractor.einvoice.sources import XmlFile, sources
from tests.unit.tools.builtin.field_extractor.einvoice.documents import pdf, pdf_with_associated_file
from tests.unit.tools.builtin.text_extractor.documents import ole
from tests.unit.tools.sdk.envelopes import signed, streamed


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


def _mail(*attachments: tuple[str, str, bytes]) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@b.org", "c@d.org", "Invoice"
    message.set_content("The invoice is attached.")
    for name, kind, content in attachments:
        main, _, sub = kind.partition("/")
        message.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return message.as_bytes()


_XML = b"<a>invoice</a>"


@pytest.mark.parametrize(
    "attachment",
    [
        ("a.xml", "application/xml", _XML),
        ("a.xml", "application/octet-stream", _XML),
        ("a.pdf", "application/pdf", pdf(["x"], {"a.xml": _XML})),
        ("a.xml.p7m", "application/pkcs7-mime", signed(_XML)),
        ("mail.eml", "application/octet-stream", signed(_XML)),
    ],
)
def test_a_mail_has_those_attached(tmp_path: Path, attachment: tuple[str, str, bytes]) -> None:
    path = tmp_path / "a.eml"
    path.write_bytes(_mail(("terms.txt", "application/octet-stream", b"terms"), attachment))
    assert [each.content for each in sources(path, "a.eml", is_pdf=False)] == [_XML]
    assert [each.name for each in tmp_path.iterdir()] == ["a.eml"]


def test_an_outlook_message_has_those_attached(tmp_path: Path) -> None:
    path = tmp_path / "a.msg"
    folder = "__attach_version1.0_#00000000/__substg1.0_"
    name = "rechnung.xml".encode("utf-16-le")
    path.write_bytes(ole({"__properties_version1.0": bytes(32), f"{folder}37010102": _XML, f"{folder}3707001F": name}))
    assert list(sources(path, "a.msg", is_pdf=False)) == [XmlFile("rechnung.xml", _XML)]


@pytest.mark.parametrize(
    "content", [signed(_XML), streamed(_XML), base64.encodebytes(signed(_XML)), signed(pdf(["x"], {"a.xml": _XML}))]
)
def test_a_signed_envelope_has_its_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    assert [each.content for each in sources(path, "a.xml.p7m", is_pdf=False)] == [_XML]
    path.write_bytes(content[: len(content) // 2])
    assert not list(sources(path, "a.xml.p7m", is_pdf=False))
