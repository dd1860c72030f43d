"""One value in the words of a document: in any notation, at the right place, or not at all."""

# ruff: noqa: RUF001

from __future__ import annotations

import pytest

from docfleet.core.evidence import MatchKind
from docfleet.tools.sdk.grounding import WordIndex, ground
from docfleet.tools.sdk.words import Page, Word

LINE = 12.0
LETTER = 6.0


def page(*lines: str, by_ocr: bool = False, confidence: float | None = None) -> Page:
    """A page as wide as a letter, with a grid of characters: two spaces and more are a gap."""
    words = []
    for row, line in enumerate(lines):
        at = 0
        for text in line.split():
            at = line.index(text, at)
            top = 20 + row * LINE
            words.append(Word(text, at * LETTER, top, (at + len(text)) * LETTER, top + 10, confidence))
            at += len(text)
    return Page("\n".join(lines), words, 612, 792, by_ocr)


def index(*lines: str) -> WordIndex:
    return WordIndex([page(*lines)])


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (1234.56, "Summe 1.234,56 EUR"),
        (1234.56, "Total 1,234.56"),
        (1234.56, "Total 1 234,56 €"),
        (1234567.0, "₹ 12,34,567.00"),
        (1234.5, "CHF 1'234.50"),
        (1234.5, "CHF 1’234.50"),
        (-100.0, "Credit (100.00)"),
        (-100.0, "Gutschrift 100,00-"),
        (-100.0, "−100,00"),
        (1234.567, "1.234,567 KWD"),
        (0.5, "discount .50"),
        (0.19, "VAT 19 %"),
        (2023, "Report of 31/12/2023"),
        (1500000000.0, "$1,500,000,000 facility"),
        (350.0, "١٢ ٣٥٠ kWh"),
        (12.0, "12kg"),
        ("2020-03-30", "Date: 30.03.2020"),
        ("2020-03-30", "Date: 3/30/20"),
        ("2020-03-30", "March 30, 2020"),
        ("2020-03-30", "den 30. März 2020"),
        ("2018-05-01", "1 de mayo de 2018"),
        ("2023-12-31", "31 בדצמבר 2023"),
        ("2023-01-25", "2023年1月25日"),
        ("2024-05-12", "١٢ مايو ٢٠٢٤"),
        ("2016-02-24", "日期 105/02/24"),
        ("2020-03-30", "20200330"),
        ("2013-06", "Sales 06/2013"),
        ("2024-05-02", "Usage from May 2 - Jun 3"),
        ("finance", "The ﬁnance report"),
        ("ZÜRICH", "Zurich"),
        ("STRASSE", "Straße"),
        ("TOTAL", "T O T A L"),
        ("Łódź", "lodz"),
        ("EUR", "12.50 €"),
        ("O'Brien & Sons", "O’BRIEN AND SONS"),
    ],
)
def test_a_value_is_recognised_in_another_notation(value: str | float, line: str) -> None:
    found = ground(value, index("Heading", line, "Footer"))
    assert found.match in (MatchKind.NORMALISED, MatchKind.EXACT), found
    assert found.page == 1 and found.boxes and found.boxes[0].top == 20 + LINE


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (50.0, "12.50"),
        (12.0, "12.50"),
        ("50", "Total 12.50"),
        (234.0, "Code A1234"),
        ("INV-1000", "INV-1001"),
        ("2020-03-30", "31.03.2020"),
        ("cat", "category"),
        ("Anna Meier", "Peter Mueller"),
        (1234.56, "1.234,57"),
        (None, "None"),
        (True, "True"),
        ("", "x"),
    ],
)
def test_another_value_is_not_taken_for_it(value: object, line: str) -> None:
    assert ground(value, index(line)).match is MatchKind.NONE  # type: ignore[arg-type]


def test_the_same_characters_are_exact_and_quoted_as_they_stand() -> None:
    found = ground("Estelle Clarion & James", index("Name  Estelle Clarion & James  12"))
    assert (found.match, found.quote, found.places) == (MatchKind.EXACT, "Estelle Clarion & James", 1)
    assert found.boxes == [(6 * LETTER, 20.0, 29 * LETTER, 30.0)]


def test_a_word_that_is_hyphenated_is_one() -> None:
    found = ground("Rechnungsnummer 12", index("Die Rechnungs-", "nummer 12 steht"))
    assert found.match is MatchKind.NORMALISED and len(found.boxes) == 2


def test_a_value_of_several_lines_has_a_box_for_each() -> None:
    found = ground(
        "Musterfirma GmbH, Hauptstr. 1, 80333 München", index("x", "Musterfirma GmbH", "Hauptstr. 1", "80333 München")
    )
    assert found.match is MatchKind.NORMALISED
    assert [box.top for box in found.boxes] == [20 + LINE, 20 + 2 * LINE, 20 + 3 * LINE]


def test_lines_of_a_cell_are_read_before_its_neighbour() -> None:
    found = ground(
        "HECNY CARGO BLDG 111 WAI YIP",
        index("HECNY CARGO BLDG        MAERSK LINE", "111 WAI YIP             SINGAPORE"),
    )
    assert found.match is MatchKind.EXACT and len(found.boxes) == 2


def test_parts_that_stand_apart_are_put_together() -> None:
    found = ground(
        "12 High Street, Springfield", index("Street:  12 High Street   Phone: 1", "City:    Springfield      Fax: 2")
    )
    assert found.match is MatchKind.NORMALISED and "Springfield" in found.quote and "Phone" not in found.quote


def test_nearly_the_same_text_says_how_near() -> None:
    found = ground("Voorbeeld onderneming te Hoofddorp", index("Voorbeeld ondememing te Hoofddorp"))
    assert found.match is MatchKind.FUZZY and 0.9 < found.similarity < 1


def test_what_ocr_confuses_counts_as_nearly_the_same() -> None:
    words = WordIndex([page("No INV1OO5", by_ocr=True, confidence=0.7)])
    found = ground("INV1005", words)
    assert found.match is MatchKind.FUZZY and found.ocr_confidence == 0.7
    assert ground("INV1005", index("No INV1OO5")).match is MatchKind.NONE, "in text of the document it is another one"


def test_of_several_places_the_one_beside_its_label_is_taken() -> None:
    words = index("Subtotal  100.00", "Shipping  0.00", "Total due  100.00")
    found = ground(100.0, words, near="total due")
    assert found.boxes[0].top == 20 + 2 * LINE
    assert ground(100.0, words, near="Subtotal").boxes[0].top == 20


def test_a_label_above_its_value_counts() -> None:
    words = index("Invoice        Order", "4711           4711")
    assert ground("4711", words, near="order").boxes[0].left == 15 * LETTER
    assert ground("4711", words, near="invoice").boxes[0].left == 0


def test_places_that_fit_as_well_are_counted() -> None:
    assert ground("AED", index("AED 1", "AED 2", "AED 3")).places == 3


def test_text_without_pages_is_placed_by_its_lines() -> None:
    found = ground(12.5, WordIndex([Page("Invoice\nTotal  12,50")]))
    assert (found.page, found.place, found.boxes) == (1, "line 2", [])


def test_hebrew_with_letters_of_a_wrong_code_page() -> None:
    words = index("מועצה מקומית מאזן ליום נכסים", "ðכסים שוטפים 8,770")
    assert ground("נכסים שוטפים", words).match is MatchKind.NORMALISED


def test_the_cost_of_a_long_value_is_bounded() -> None:
    words = WordIndex([page(*["word " * 15] * 50) for _ in range(20)])
    assert ground("no such thing at all " * 500, words).match is MatchKind.NONE
