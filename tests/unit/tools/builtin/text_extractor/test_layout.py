"""Words on a page become lines and columns."""

from __future__ import annotations

from docfleet.tools.builtin.text_extractor.layout import arrange
from docfleet.tools.sdk.words import Word
from tests.unit.tools.builtin.text_extractor.documents import Extract, pdf
from tests.unit.tools.builtin.text_extractor.test_tables import words


def test_columns_stay_on_one_line_and_apart(extract: Extract) -> None:
    page = [(50, 700, "Invoice no."), (300, 700, "INV-1"), (50, 680, "Total"), (300, 681, "12.50"), (50, 600, "Thanks")]
    lines = extract(pdf(page)).splitlines()
    assert lines[0].split("  ")[0] == "Invoice no." and lines[0].endswith("INV-1")
    assert lines[1].split() == ["Total", "12.50"]
    assert lines[0].index("INV-1") == lines[1].index("12.50")
    assert lines[2] == "" and lines[3] == "Thanks"


def test_pages_are_parted_by_a_form_feed(extract: Extract) -> None:
    content = pdf([(50, 700, "first page")], [(50, 700, "second page")])
    assert extract(content) == "first page\n\fsecond page\n"
    found = extract(content, "x.pdf", output="json")
    assert found["pages"] == ["first page", "second page"]
    assert found["metadata"]["pages"] == 2 and found["metadata"]["mime"] == "application/pdf"


def test_words_of_one_line_need_not_stand_exactly_level() -> None:
    words = [Word("b", 100, 10.4, 110, 20.4), Word("a", 0, 10, 10, 20), Word("c", 0, 24, 10, 34)]
    assert [line.split() for line in arrange(words).split("\n")] == [["a", "b"], ["c"]]
    assert arrange([]) == ""


def test_a_word_that_is_broken_at_the_end_of_a_line_is_one_word() -> None:
    lines = [
        (0, {0: "The harbour of this town is a har-"}),
        (12, {0: "bour for all of the well-"}),
        (24, {0: "Known ships of the E-"}),
        (36, {0: "Mail services."}),
    ]
    text = arrange(words(*lines))
    assert "a harbour\nfor" in text and "well-\nKnown" in text and "E-\nMail" in text


def test_words_of_latin_script_keep_their_order_in_a_line_from_right_to_left() -> None:
    line = words((0, {0: "INVOICE TAX", 80: "ضريبية", 115: "فاتورة"}))
    assert arrange(line) == "فاتورة ضريبية INVOICE TAX"
