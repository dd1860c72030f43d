"""Columns of prose are read one after the other; tables and blocks side by side are not."""

from __future__ import annotations

import random

import pytest
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Frame, Paragraph

from docfleet.tools.builtin.text_extractor.layout import arrange
from tests.unit.tools.builtin.text_extractor.documents import Extract, canvas_of
from tests.unit.tools.builtin.text_extractor.test_tables import cells, words

SYLLABLES = ["har", "bour", "lin", "es", "to", "ra", "mi", "no", "the", "un", "der", "sel", "ve", "go"]


def sentence(seed: int, length: int = 60) -> str:
    """Words that differ from each other, and begin with a capital only once."""
    choice = random.Random(seed)
    made = ["".join(choice.choices(SYLLABLES, k=choice.randint(1, 4))) for _ in range(length)]
    return " ".join(made).capitalize() + "."


@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize(("gap", "size", "justified"), [(12, 9, True), (20, 10, False), (30, 8, True)])
def test_columns_of_prose_are_read_one_after_the_other(
    extract: Extract, columns: int, gap: float, size: float, justified: bool
) -> None:
    canvas, buffer = canvas_of((595, 842))
    title, width = "A heading over the columns of this page", (495 - gap * (columns - 1)) / columns
    canvas.setFont("Helvetica", 16)
    canvas.drawCentredString(297, 780, title)
    style = ParagraphStyle("text", fontSize=size, leading=1.2 * size, alignment=4 if justified else 0)
    texts = [sentence(seed, 90) for seed in range(columns)]
    for column, text in enumerate(texts):
        Frame(50 + column * (width + gap), 100, width, 650, 0, 0, 0, 0).addFromList([Paragraph(text, style)], canvas)
    canvas.drawString(50, 40, "Last line")
    canvas.save()
    assert extract(buffer.getvalue()).split() == " ".join([title, *texts, "Last line"]).split()


def test_a_table_with_long_texts_keeps_its_rows() -> None:
    lines = []
    for row in range(6):
        for line in range(3):
            left = f"the text of row {row} in line {line} of it"
            right = f"beside it is row {row} again with {line}"
            lines.append((60.0 * row + 11 * line, {0: left, 260: right}))
    found = cells(arrange(words(*lines)))
    assert all(len(row) == 2 for row in found) and len(found) == 18


def test_labels_and_values_stay_beside_each_other() -> None:
    lines = [(14.0 * row, {0: f"Label of number {row} is", 200: f"Value {row}"}) for row in range(8)]
    assert all(len(row) == 2 for row in cells(arrange(words(*lines))))


def test_a_note_beside_prose_is_not_torn_out_of_its_line(extract: Extract) -> None:
    lines = [(12.0 * row, {0: f"the lines of this letter are long enough {row}"}) for row in range(9)]
    lines[4][1][400] = "[4]"
    assert "long enough 4" in arrange(words(*lines)).splitlines()[4] and "[4]" in arrange(words(*lines)).splitlines()[4]
