"""Rows of tables whose cells have several lines, and what looks like them."""

from __future__ import annotations

from typing import Any

import pytest

from docfleet.tools.builtin.text_extractor.layout import arrange
from docfleet.tools.builtin.text_extractor.tables import is_number
from docfleet.tools.sdk.words import Word

HEIGHT, LETTER = 10.0, 5.0


def words(*lines: tuple[float, dict[Any, str]]) -> list[Word]:
    """The words of lines: each has its top, and texts by where they begin."""
    found = []
    for top, texts in lines:
        for left, text in texts.items():
            at = left
            for word in text.split():
                found.append(Word(word, at, top, at + LETTER * len(word), top + HEIGHT))
                at += LETTER * (len(word) + 1)
    return found


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("place", ["top", "middle", "bottom"])
def test_the_lines_of_a_cell_are_one_cell(place: str) -> None:
    lines: list[tuple[float, dict[Any, str]]] = [(0, {0: "Article", 200: "Pieces", 300: "Price"})]
    for row, (first, second) in enumerate([("Anchor chain", "of steel"), ("Rope", "30 m"), ("Buoy", "with light")]):
        top = 20.0 + 30 * row
        numbers = {200: f"{row + 1}", 300: f"{row}50.00"}
        beside = {"top": top, "middle": top + 5, "bottom": top + 10}[place]
        lines += [(top, {0: first}), (top + 10, {0: second}), (beside, numbers)]
    assert cells(arrange(words(*lines))) == [
        ["Article", "Pieces", "Price"],
        ["Anchor chain of steel", "1", "050.00"],
        ["Rope 30 m", "2", "150.00"],
        ["Buoy with light", "3", "250.00"],
    ]


def test_columns_stay_below_each_other_beside_a_long_cell() -> None:
    lines: list[tuple[float, dict[Any, str]]] = [(0, {0: "Article", 100: "Pieces", 200: "Price"})]
    for row in range(3):
        top = 20.0 + 30 * row
        lines += [(top, {0: "Some long words", 100: f"{row}1", 200: "5.00"}), (top + 10, {0: "and more of them"})]
    rows = arrange(words(*lines)).splitlines()
    assert len({row.index("5.00") for row in rows[1:] if row}) == 1 and rows[0].index("Price") == rows[-1].index("5.00")


def test_a_heading_of_several_lines_is_one_row_and_parted_from_the_numbers() -> None:
    lines = [
        (0, {0: "Name of", 200: "Unit", 300: "Total"}),
        (10, {0: "the article", 200: "price", 300: "price"}),
        *((30.0 + 25 * row, {0: f"Article {row}", 200: "1.00", 300: "2.00"}) for row in range(3)),
        (40.0, {0: "with more"}),
    ]
    assert cells(arrange(words(*lines)))[:2] == [
        ["Name of the article", "Unit price", "Total price"],
        ["Article 0 with more", "1.00", "2.00"],
    ]


def test_a_heading_that_stands_close_to_its_numbers_is_parted_from_them() -> None:
    lines: list[tuple[float, dict[Any, str]]] = [(0, {0: "Article", 200: "Pieces", 300: "Price"})]
    for row in range(3):
        top = 10.0 + 30 * row
        lines += [(top, {0: f"Article {row}", 200: f"{row}", 300: "5.00"}), (top + 10, {0: "of steel"})]
    assert cells(arrange(words(*lines)))[:2] == [["Article", "Pieces", "Price"], ["Article 0 of steel", "0", "5.00"]]


def test_blocks_of_a_letter_stay_in_their_lines() -> None:
    lines = [
        (0, {0: "Anna Berg", 200: "Invoice number", 320: "4711"}),
        (11, {0: "Harbour street 12", 200: "Date", 320: "5 May"}),
        (22, {0: "20457 Hamburg", 200: "Customer", 320: "4712"}),
        (33, {200: "Delivered to the", 320: "9 May"}),
        (60, {0: "Dear Sir", 200: "Our sign", 320: "AB"}),
        (90, {0: "Net", 320: "100.00"}),
        (101, {0: "Gross", 320: "119.00"}),
    ]
    text = arrange(words(*lines))
    assert cells(text)[0] == ["Anna Berg", "Invoice number", "4711"] and len(cells(text)) == len(lines)


def test_rows_without_a_wider_step_between_them_are_not_joined() -> None:
    lines = [(12.0 * row, {0: f"Article {row}", 200: f"{row}1", 300: "5.00"}) for row in range(5)]
    lines.insert(3, (25.0 + 5, {0: "a remark"}))
    assert sum(len(row) == 3 for row in cells(arrange(words(*lines)))) == 5


def test_a_remark_over_several_columns_is_no_cell() -> None:
    lines: list[tuple[float, dict[Any, str]]] = []
    for row in range(3):
        top = 40.0 * row
        lines += [
            (top, {0: f"Article {row}", 200: f"{row}1", 300: "5.00"}),
            (top + 10, {0: "of steel"}),
            (top + 20, {0: "All prices of this list are valid until the end of the next month only"}),
        ]
    found = cells(arrange(words(*lines)))
    assert [f"Article {row} of steel" for row in range(3)] == [row[0] for row in found if len(row) == 3]
    assert sum(row[0].startswith("All prices") for row in found) == 3


@pytest.mark.parametrize(
    "text", ["12", "1.234,56 €", "EUR 12.00", "(3)", "-5 Stk", "19 %", "$3,179.22", "-", "5/6/2024"]
)
def test_numbers_of_cells(text: str) -> None:
    assert is_number(text)


@pytest.mark.parametrize("text", ["Article", "Article 12", "A", "12 Harbour street", ":"])
def test_what_is_no_number(text: str) -> None:
    assert not is_number(text)
