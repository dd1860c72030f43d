"""PDF pages whose text is in their picture, in part or in fonts that do not say what it reads."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from docfleet.tools import protocol
from docfleet.tools.builtin.text_extractor.pdf_ocr import is_plausible
from docfleet.tools.sdk.words import Word
from tests.unit.tools.builtin.text_extractor.documents import Extract, raw_pdf


def scan(*typed: tuple[float, float, str], hidden: bool = False) -> bytes:
    image = Image.new("L", (1240, 1754), "white")
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(("Harbour 4711", "Total due 475.00 EUR", "Thank you for the order")):
        draw.text((150, 400 + 120 * row), line, fill="black", font=ImageFont.load_default(50))
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(595, 842))
    canvas.drawImage(ImageReader(image), 0, 0, 595, 842)
    for x, y, text in typed:
        line = canvas.beginText(x, y)
        line.setTextRenderMode(3 if hidden else 0)
        line.textLine(text)
        canvas.drawText(line)
    canvas.save()
    return buffer.getvalue()


def mapped(to_unicode: bytes | None) -> bytes:
    """A page in a drawn font of two glyphs (a bar and a frame), whose codes mean what ``to_unicode`` says."""
    return raw_pdf(
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        " /Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>",
        "<< >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 7 0 R >>",
        "<< >>",
        streams={
            4: b"BT /F2 16 Tf 60 700 Td (Harbour dues 4711) Tj 0 -40 Td (Total 475.00 EUR) Tj ET"
            b" BT /F1 12 Tf 60 600 Td (Page 1) Tj ET",
            7: to_unicode or b"",
        },
    )


def private(first: int) -> bytes:
    return (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def 1 begincodespacerange <00> <ff>"
        b" endcodespacerange 1 beginbfrange <20> <7e> <%04x> endbfrange endcmap end end" % first
    )


@pytest.mark.parametrize(
    "line", [(270, 20, "Page 1 of 1"), (40, 825, "FROM: +49 89 555 0100 14.03.2024 10:15 P. 001/001")]
)
def test_a_scan_with_a_typed_line_is_recognised_and_keeps_the_line(
    extract: Extract, tmp_path: Path, line: tuple[float, float, str]
) -> None:
    text = extract(scan(line))
    assert "Harbour 4711" in text and "475.00" in text
    assert text.count(line[2]) == 1
    assert text.index(line[2]) < text.index("Harbour") or line[1] < 100
    assert protocol.read_verdict(tmp_path, 0).usage == {"ocr_pages": 1}


def test_a_figure_between_a_header_and_a_caption_is_read(extract: Extract, tmp_path: Path) -> None:
    image = Image.new("L", (1400, 700), "white")
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(("Purchase order 4711", "Ship to: Harbour Road 12", "Total 475.00 EUR")):
        draw.text((60, 60 + 160 * row), line, fill="black", font=ImageFont.load_default(60))
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(612, 792))
    canvas.drawImage(ImageReader(image), 36, 300, 540, 270)
    canvas.drawString(72, 750, "Routing and compliance manual of the company (effective 1 March 2018, as updated)")
    canvas.drawString(72, 600, "Example of the confirmation of a purchase order")
    canvas.save()
    text = extract(buffer.getvalue())
    assert "4711" in text and "475.00" in text and text.count("Routing") == 1
    assert protocol.read_verdict(tmp_path, 0).usage == {"ocr_pages": 1}


def test_what_a_failed_recognition_left_behind_a_scan_is_no_text(extract: Extract) -> None:
    trash = [(60, 700 - 12 * row, '~~^ ,;.|_ "=+ \\ .. -- i_ |. ;:') for row in range(30)]
    text = extract(scan(*trash, hidden=True))
    assert "Harbour 4711" in text and "~" not in text


def test_a_good_hidden_layer_saves_the_recognition(extract: Extract, tmp_path: Path) -> None:
    layer = [(60, 700 - 14 * row, f"The layer of line {row} was made by a good scanner") for row in range(30)]
    assert "The layer of line 29" in extract(scan(*layer, hidden=True))
    assert protocol.read_verdict(tmp_path, 0).usage == {}


@pytest.mark.parametrize("first", [0xE020, 0xF8A0, 0x0000])
def test_glyphs_without_characters_are_read_from_the_picture(extract: Extract, first: int) -> None:
    text = extract(mapped(private(first)))
    assert "Harbour dues 4711" in text and "475.00" in text and text.count("Page 1") == 1
    assert text.isprintable() or all(character.isprintable() or character == "\n" for character in text)


def test_without_ocr_no_control_character_is_text(extract: Extract) -> None:
    text = extract(mapped(private(0x0000)), ocr="never")
    assert "Page 1" in text and all(character.isprintable() or character == "\n" for character in text)


def test_bullets_of_symbol_fonts_need_no_recognition(extract: Extract, tmp_path: Path) -> None:
    content = mapped(private(0xF0B7 - 10)).replace(b"(Harbour dues 4711)", b"(*) Tj 30 0 Td (*)  ")
    text = extract(content.replace(b"(Total 475.00 EUR)", b"(*)               "))
    assert "•" in text and protocol.read_verdict(tmp_path, 0).usage == {}


@pytest.mark.parametrize(
    ("text", "plausible"),
    [
        ("The order of 14.03.2024, No. 4711-A: 1.234,50 € (net)", True),
        ("Straße 12, 80333 München", True),
        ('~~^ ,;.|_ "=+', False),
        (". - _ ' | i: ;, l. ..", False),
    ],
)
def test_words_and_numbers_are_told_from_trash(text: str, plausible: bool) -> None:
    assert is_plausible([Word(part, 0, 0, 1, 1) for part in text.split()]) is plausible
