"""PDFs: with text, scanned, encrypted, too long."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from docfleet.tools import protocol
from tests.unit.tools.builtin.text_extractor.documents import Extract, pdf, picture


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
