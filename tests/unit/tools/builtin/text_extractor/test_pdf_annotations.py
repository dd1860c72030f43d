"""Form values, notes and stamps on PDF pages, with and without a drawing of them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.unit.tools.builtin.text_extractor.documents import Extract, raw_pdf

HELVETICA = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
LABELS = b"BT /F1 12 Tf 60 700 Td (Name:) Tj 0 -30 Td (Paid:) Tj ET"


def form(drawn: bool = True) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(595, 842))
    for row, label in enumerate(("Name:", "Paid:", "Sent:", "Colour:", "Sizes:", "Key:", "Way:")):
        canvas.drawString(60, 700 - 30 * row, label)
    fields: Any = canvas.acroForm
    fields.textfield(name="n", value="Anna Berg (Übersee)", x=150, y=696, width=200, height=18)
    fields.checkbox(name="p", checked=True, x=150, y=666, size=14)
    fields.checkbox(name="s", checked=False, x=150, y=636, size=14)
    fields.choice(name="c", value="deep blue", options=["deep blue", "red"], x=150, y=606, width=120, height=18)
    fields.listbox(name="l", value="XL", options=["XL", "S"], x=150, y=570, width=120, height=30)
    fields.textfield(name="k", value="s3cret", fieldFlags="password", x=150, y=546, width=120, height=18)
    fields.radio(name="w", value="sea", selected=True, x=150, y=516, size=14)
    fields.radio(name="w", value="air", selected=False, x=200, y=516, size=14)
    canvas.save()
    # An entry by another name is none.
    return buffer.getvalue() if drawn else buffer.getvalue().replace(b"/AP ", b"/XP ")


def annotated(*annotations: str, streams: dict[int, bytes] | None = None, rotate: int = 0) -> bytes:
    numbers = " ".join(f"{6 + index} 0 R" for index in range(len(annotations)))
    return raw_pdf(
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Rotate {rotate} /Contents 4 0 R"
        f" /Resources << /Font << /F1 5 0 R >> >> /Annots [{numbers}] >>",
        "<< >>",
        HELVETICA,
        *annotations,
        streams={4: LABELS} | (streams or {}),
    )


def note(kind: str, text: str, more: str = "") -> str:
    return f"<< /Type /Annot /Subtype /{kind} /Rect [150 660 400 680] /Contents ({text}) {more} >>"


@pytest.mark.parametrize("drawn", [True, False])
def test_what_is_typed_into_a_form_stands_beside_its_label(extract: Extract, drawn: bool) -> None:
    lines = [line.split() for line in extract(form(drawn)).splitlines() if line]
    assert lines[:4] == [
        ["Name:", "Anna", "Berg", "(Übersee)"],
        ["Paid:", "[x]"],
        ["Sent:"],
        ["Colour:", "deep", "blue"],
    ]
    assert ["Sizes:", "XL"] in lines and ["Key:"] in lines and ["Way:", "[x]", "sea"] in lines


@pytest.mark.parametrize("pdf_text", ["reading", "layout"])
def test_form_values_are_read_in_every_way(extract: Extract, pdf_text: str) -> None:
    assert "Anna Berg (Übersee)" in extract(form(), pdf_text=pdf_text)


@pytest.mark.parametrize("rotate", [0, 90])
def test_a_free_text_note_stands_on_its_line(extract: Extract, rotate: int) -> None:
    content = annotated(note("FreeText", "by 5 May \\(cash\\)"), rotate=rotate)
    assert extract(content).split("\n")[-2].split() == ["Paid:", "by", "5", "May", "(cash)"]


def test_a_note_with_formatted_text_only_is_read(extract: Extract) -> None:
    rich = '/RC (<body xmlns="http://www.w3.org/1999/xhtml"><p>by <b>5 May</b></p><p>R&amp;D</p></body>)'
    assert "by 5 May" in extract(annotated(note("FreeText", "", rich))) and "R&D" in extract(
        annotated(note("FreeText", "", rich))
    )


def test_a_field_that_no_form_lists_is_read(extract: Extract) -> None:
    widget = "<< /Type /Annot /Subtype /Widget /FT /Tx /T (n) /V (Anna Berg) /Rect [150 695 400 712] >>"
    assert "Name:" in extract(annotated(widget)) and "Anna Berg" in extract(annotated(widget)).splitlines()[0]


def test_a_stamp_that_is_a_drawing_is_read_where_it_stands(extract: Extract) -> None:
    stamp = "<< /Type /Annot /Subtype /Stamp /Rect [150 690 400 720] /F 4 /AP << /N 7 0 R >> >>"
    drawing = "<< /Type /XObject /Subtype /Form /BBox [0 0 250 30] /Resources << /Font << /F1 5 0 R >> >> >>"
    content = annotated(
        stamp, drawing, note("Text", "check this"), streams={7: b"BT /F1 12 Tf 0 10 Td (RECEIVED 5 May) Tj ET"}
    )
    text = extract(content.replace(b"[6 0 R 7 0 R 8 0 R]", b"[6 0 R 8 0 R]      "))
    assert text.splitlines()[0].split() == ["Name:", "RECEIVED", "5", "May"]
    assert text.endswith("\n\nNote: check this\n")


@pytest.mark.parametrize("kind", ["Text", "Highlight", "Square", "Ink"])
def test_a_remark_follows_the_page_once(extract: Extract, kind: str) -> None:
    text = extract(annotated(note(kind, "please check"), note(kind, "please check"), note(kind, "Paid:")))
    assert text.count("please check") == 1 and text.endswith("\n\nNote: please check\n")


def test_what_is_hidden_stays_hidden(extract: Extract) -> None:
    assert "secret" not in extract(annotated(note("FreeText", "secret", "/F 2"), note("Text", "secret", "/F 2")))


def test_a_long_value_is_kept_whole(extract: Extract) -> None:
    value = " ".join(f"word{number}" for number in range(60))
    assert extract(annotated(note("FreeText", value))).split()[1:] == ["Paid:", *value.split()]


def test_the_data_of_an_xfa_form_is_read(extract: Extract) -> None:
    data = (
        b'<xfa:datasets xmlns:xfa="http://www.xfa.org/schema/xfa-data/1.0/"><xfa:data><form1><Name>Anna Berg</Name>'
        b"<Empty/><Amount>1234.50</Amount></form1></xfa:data></xfa:datasets>"
    )
    content = raw_pdf(
        "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [] /XFA [(datasets) 6 0 R] >> >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        " /Resources << /Font << /F1 5 0 R >> >> >>",
        "<< >>",
        HELVETICA,
        "<< >>",
        streams={4: b"BT /F1 12 Tf 60 700 Td (Please wait...) Tj ET", 6: data},
    )
    found = extract(content, output="json")
    assert found["text"].endswith("\n\nName: Anna Berg\nAmount: 1234.50\n") and found["metadata"]["form"] == "XFA"
