"""The words of PDF pages, and where they stand on the page as it is shown."""

from __future__ import annotations

import io
from pathlib import Path

import pypdfium2
import pytest
from reportlab.pdfgen.canvas import Canvas

from docfleet.tools.builtin.text_extractor.document import ReadOptions
from docfleet.tools.builtin.text_extractor.pdf import read_pdf
from docfleet.tools.builtin.text_extractor.pdf_text import whole_characters, without_soft_hyphens
from docfleet.tools.registry import ToolRegistry
from docfleet.tools.sdk.words import Page
from tests.unit.tools.builtin.text_extractor.documents import Extract

READING = ReadOptions.from_settings(ToolRegistry.load().validate("text_extractor", {"ocr": "never"}), lambda *_: None)
ROWS = [["Item", "Number", "Price"], ["Sea bolt", "2", "150.00"], ["Total due", "", "475.00"]]


def table(canvas: Canvas, left: float, top: float) -> None:
    for row, cells in enumerate(ROWS):
        for column, cell in enumerate(cells):
            canvas.drawString(left + 120 * column, top - 20 * row, cell)


def saved(canvas: Canvas, buffer: io.BytesIO) -> bytes:
    canvas.save()
    return buffer.getvalue()


def pages(content: bytes, tmp_path: Path) -> list[Page]:
    path = tmp_path / "words.pdf"
    path.write_bytes(content)
    return read_pdf(path, READING).pages


def turned(degrees: float) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(600, 800))
    canvas.translate(300, 400)
    canvas.rotate(degrees)
    table(canvas, -150, 40)
    return saved(canvas, buffer)


@pytest.mark.parametrize("degrees", [0, 3, 30, 45, 90, 135, 180, 210, 270, 300])
def test_text_in_any_direction_is_read_in_its_own_lines(extract: Extract, degrees: int) -> None:
    lines = [line.split() for line in extract(turned(degrees)).splitlines()]
    assert lines == [["Item", "Number", "Price"], ["Sea", "bolt", "2", "150.00"], ["Total", "due", "475.00"]]


@pytest.mark.parametrize(("degrees", "box"), [(0, (150, 360)), (90, (260, 550)), (180, (450, 440)), (270, (340, 250))])
def test_a_box_is_counted_from_the_upper_left_corner(tmp_path: Path, degrees: int, box: tuple[float, float]) -> None:
    item = next(word for word in pages(turned(degrees), tmp_path)[0].words if word.text == "Item")
    # Where the baseline begins, after the turn.
    x = item.left if degrees in (0, 270) else item.right
    y = item.bottom if degrees in (0, 90) else item.top
    assert (x, y) == pytest.approx(box, abs=12)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_page_that_is_turned_and_cropped_has_its_words_as_it_is_shown(tmp_path: Path, rotation: int) -> None:
    document = pypdfium2.PdfDocument(turned(rotation))
    document[0].set_rotation(rotation)
    document[0].set_cropbox(20, 30, 580, 780)
    buffer = io.BytesIO()
    document.save(buffer)
    page = pages(buffer.getvalue(), tmp_path)[0]
    assert (page.width, page.height) == ((560, 750) if rotation % 180 == 0 else (750, 560))
    # The content was turned against the rotation of the page: the table is upright in its middle.
    item, price = (next(word for word in page.words if word.text == text) for text in ("Item", "Price"))
    assert price.left - item.left == pytest.approx(240, abs=1)
    assert price.top == pytest.approx(item.top) and item.right - item.left > item.height
    assert 0 < item.left < page.width / 2 and 0 < item.top < page.height / 2


def test_a_margin_that_is_set_sideways_does_not_mix_with_the_lines(extract: Extract) -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    table(canvas, 100, 700)
    canvas.rotate(90)
    canvas.drawString(600, -40, "Form 4711 of the harbour")
    text = extract(saved(canvas, buffer))
    assert text.splitlines()[1].split() == ["Sea", "bolt", "2", "150.00"]
    assert text.endswith("\n\nForm 4711 of the harbour\n")


@pytest.mark.parametrize(("across", "down"), [(0.0, 0.0), (0.3, 0.0), (0.4, 0.4), (1.0, -1.0)])
@pytest.mark.parametrize("each", ["letter", "word", "page"])
def test_what_is_drawn_twice_is_read_once(extract: Extract, across: float, down: float, each: str) -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    words = [(100, 700, "Letter"), (100, 680, "1100"), (200, 680, "Bookkeeping")]
    if each == "letter":
        for x, y, word in words:
            for letter in word:
                canvas.drawString(x, y, letter)
                canvas.drawString(x + across, y + down, letter)
                x += canvas.stringWidth(letter, "Helvetica", 12)
    for copy in range(2 if each == "page" else each == "word"):
        for x, y, word in words:
            for again in range(2 if each == "word" else 1):
                canvas.drawString(x + across * (copy or again), y + down * (copy or again), word)
    assert extract(saved(canvas, buffer)).split() == ["Letter", "1100", "Bookkeeping"]


def test_half_a_character_does_not_cost_the_rest() -> None:
    assert whole_characters("good \ud83d\ude00 \ud800 \udc00 text") == "good \U0001f600 \ufffd \ufffd text"


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("Liefer\u00adbedingungen", "Lieferbedingungen"),
        ("0800\u00ad4711", "0800-4711"),
        ("E\u00adMail", "E-Mail"),
        ("Zahlungs\u00ad", "Zahlungs-"),
    ],
)
def test_a_soft_hyphen_in_a_word_is_no_text(typed: str, read: str) -> None:
    assert without_soft_hyphens(typed) == read


def test_a_word_with_a_hyphen_at_the_end_of_its_line_is_one(extract: Extract) -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawString(60, 660, "Zahlungs\u00ad")
    canvas.drawString(60, 647, "bedingungen gelten")
    assert extract(saved(canvas, buffer)) == "Zahlungsbedingungen\ngelten\n"
