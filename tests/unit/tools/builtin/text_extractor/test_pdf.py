"""PDFs: with text, scanned, encrypted, too long."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from docfleet.tools import protocol
from docfleet.tools.builtin.text_extractor import tesseract
from tests.unit.tools.builtin.text_extractor.documents import Extract, pdf, picture, raw_pdf, russian


@pytest.mark.parametrize("pdf_text", ["columns", "reading", "layout"])
def test_each_way_to_read_a_pdf(extract: Extract, pdf_text: str) -> None:
    text = extract(pdf([(50, 700, "alpha beta"), (50, 650, "gamma")]), pdf_text=pdf_text)
    assert text.split() == ["alpha", "beta", "gamma"]


def test_a_scanned_page_is_recognised_and_counted(extract: Extract, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture("Harbour 4711"))).save(buffer, "PDF", resolution=150)
    assert "Harbour 4711" in extract(buffer.getvalue())
    assert protocol.read_verdict(tmp_path, 0).usage == {"ocr_pages": 1}
    assert "no text" in extract(buffer.getvalue(), ocr="never")


def test_a_letterhead_that_is_a_picture_is_read_on_request(extract: Extract) -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawImage(ImageReader(io.BytesIO(picture("Harbour 4711"))), 50, 700, 300, 53)
    canvas.drawString(50, 600, "a line of text")
    canvas.save()
    assert extract(buffer.getvalue()) == "a line of text\n"
    text = extract(buffer.getvalue(), ocr="pictures")
    assert text.startswith("a line of text\n") and "Harbour 4711" in text


def test_an_encrypted_pdf_requires_its_password(extract: Extract) -> None:
    error = extract(pdf([(50, 700, "secret")], encrypt="pw"), fails=True)
    assert error.error_code == "password_required" and "password required" in error.log


def test_a_pdf_of_too_many_pages_names_the_setting(extract: Extract) -> None:
    error = extract(pdf(*[[(50, 700, "x")]] * 4), fails=True, max_pages=3)
    assert error.error_code == "file_too_large" and "max_pages" in error.log


def broken(count: int, middle: str, kids: str = "[3 0 R 4 0 R 5 0 R]") -> bytes:
    def page(number: int) -> str:
        return (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {number} 0 R"
            " /Resources << /Font << /F1 8 0 R >> >> >>"
        )

    return raw_pdf(
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids {kids} /Count {count} >>",
        page(6),
        middle,
        page(7),
        "<< >>",
        "<< >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        streams={6: b"BT /F1 12 Tf 60 700 Td (first words) Tj ET", 7: b"BT /F1 12 Tf 60 700 Td (last words) Tj ET"},
    )


@pytest.mark.parametrize("count", [3, 2])
@pytest.mark.parametrize("middle", ["[1 2]", "null", "(a text)", "<< /Type /Font >>"])
def test_a_broken_page_costs_no_other_page(extract: Extract, count: int, middle: str) -> None:
    found = extract(broken(count, middle), output="json")
    assert "first words" in found["text"] and "last words" in found["text"]


def test_a_broken_page_is_said_in_its_place(extract: Extract) -> None:
    found = extract(broken(3, "[1 2]"), output="json")
    assert found["pages"] == ["first words", "[page 2 is damaged and cannot be read]", "last words"]
    assert found["metadata"]["pages_unreadable"] == [2]


def test_a_page_in_a_script_without_data_costs_no_other_page(extract: Extract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tesseract, "_SYSTEM_FOLDERS", ())
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    scan = ImageReader(russian())
    canvas.drawImage(scan, 40, 400, 520, 178)
    canvas.showPage()
    canvas.drawString(50, 600, "a page of text")
    canvas.drawImage(scan, 40, 400, 520, 178)
    canvas.drawString(50, 580, "which stands on a picture")
    canvas.showPage()
    canvas.save()
    found = extract(buffer.getvalue(), output="json")
    assert found["pages"][0] == "[page 1 cannot be read]" and found["metadata"]["pages_unreadable"] == [1]
    assert "a page of text" in found["pages"][1]
    canvas = Canvas(buffer := io.BytesIO())
    canvas.drawImage(scan, 40, 400, 520, 178)
    canvas.save()
    error = extract(buffer.getvalue(), fails=True)
    assert "tesseract-ocr-rus" in error.log


def test_pages_that_the_list_does_not_count_are_read(extract: Extract) -> None:
    found = extract(broken(1, "<< /Type /Font >>", "[3 0 R 5 0 R]"), output="json")
    assert "last words" in found["text"] and found["metadata"]["pages"] == 2


def test_a_document_without_an_intact_page_is_damaged(extract: Extract) -> None:
    error = extract(broken(1, "[1 2]", "[4 0 R]").replace(b"/Type /Page /", b"/Type /Path /"), fails=True)
    assert error.error_code == "corrupt_file"


def test_names_of_embedded_files_are_no_text_of_the_pages(extract: Extract) -> None:
    import pypdfium2 as pdfium

    document = pdfium.PdfDocument(pdf([(50, 700, "alpha beta")]))
    document.new_attachment("Invoice 4711.xml").set_data(b"<a/>")
    buffer = io.BytesIO()
    document.save(buffer)
    document.close()
    found = extract(buffer.getvalue(), output="json")
    assert found["text"].split() == ["alpha", "beta"]
    assert found["metadata"]["attachments"] == ["Invoice 4711.xml"]
