"""Office documents of each kind."""

from __future__ import annotations

import docx
import openpyxl
import pptx

from tests.unit.tools.builtin.text_extractor.documents import Extract, saved


def test_office_documents(extract: Extract) -> None:
    letter = docx.Document()
    letter.add_paragraph("before")
    table = letter.add_table(1, 2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "left", "right"
    letter.add_paragraph("after")
    assert extract(saved(letter)).split("\n")[:3] == ["before", "left\tright", "after"]
    book = openpyxl.Workbook()
    book.active.title = "Zahlen"
    book.active.append(["Größe", 1.5, None, "x\ty"])
    assert extract(saved(book)) == "Sheet: Zahlen\nGröße\t1.5\t\tx y\n"
    slides = pptx.Presentation()
    slide = slides.slides.add_slide(slides.slide_layouts[5])
    slide.shapes.title.text = "Heading"
    slide.notes_slide.notes_text_frame.text = "say this"
    assert extract(saved(slides)) == "Heading\nNotes: say this\n"


def test_an_empty_workbook_says_so(extract: Extract) -> None:
    assert "no cells with content" in extract(saved(openpyxl.Workbook()))
