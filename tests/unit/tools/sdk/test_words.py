"""The file of words: small, exact enough, and refused when it is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from docfleet.tools.sdk import words
from docfleet.tools.sdk.words import Page, Word, words_of_cells, words_of_text


def test_words_come_back_with_their_places() -> None:
    page = Page(
        "x", [Word("Größe", 10.5, 20.25, 40.75, 30.0), Word("12,50 €", 50, 20, 80, 30, 0.87)], 595.3, 841.9, True
    )
    (back,) = words.unpack(words.pack([page]))
    assert (back.width, back.height, back.by_ocr) == (595.3, 841.9, True)
    assert [word.text for word in back.words] == ["Größe", "12,50 €"]
    assert back.words[0].left == pytest.approx(10.5, abs=0.02) and back.words[1].bottom == pytest.approx(30, abs=0.02)
    assert (back.words[0].confidence, back.words[1].confidence) == (None, 0.87)


def test_a_page_takes_few_bytes_a_word() -> None:
    page = Page(
        "x", [Word("number", left, top, left + 9, top + 9) for left in range(40) for top in range(25)], 600, 800
    )
    assert len(words.pack([page])) / 1000 < 16


def test_a_box_beyond_the_rim_of_its_page_stays_in_it() -> None:
    page = Page("x", [Word("a", -5, -1, 700, 9)], 600, 800)
    (word,) = words.unpack(words.pack([page]))[0].words
    assert (word.left, word.top) == (0, 0) and word.right == pytest.approx(700, abs=0.02)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf"), 1e30])
def test_a_box_that_is_no_box_does_not_fail_the_page(wrong: float) -> None:
    (page,) = words.unpack(words.pack([Page("x", [Word("a", wrong, 1, wrong, 9), Word("b", 5, 1, 50, 9)], 600, 800)]))
    assert (page.words[0].left, page.words[0].right) == (0, 0) and page.words[1].right == pytest.approx(50, abs=0.02)


def test_what_utf_8_cannot_hold_does_not_fail_the_page() -> None:
    assert (
        words.unpack(words.pack([Page("x", [Word("a\ud800", 0, 0, 1, 1), Word("b\nc", 0, 0, 1, 1)])]))[0].words[1].text
        == "b c"
    )


def test_places_of_a_very_long_page_stay_apart() -> None:
    (page,) = words.unpack(words.pack([Page("x", words_of_cells([(1, {1: "a"}), (2, {1: "b"}), (900_000, {3: "c"})]))]))
    assert [round(word.top, 2) for word in page.words] == [1, 2, 900_000]
    assert [word.place for word in page.words] == ["A1", "A2", "C900000"]


def test_a_page_without_words_has_those_of_its_lines() -> None:
    (page,) = words.unpack(words.pack([Page("Total:  12\n\nDate 3")]))
    assert [(word.text, word.place) for word in page.words] == [
        ("Total:", "line 1"), ("12", "line 1"), ("Date", "line 3"), ("3", "line 3"),
    ]  # fmt: skip
    assert page.width == 0


def test_cells_have_the_names_of_a_workbook() -> None:
    cells = words_of_cells([(1, {3: "c", 1: "a"}), (2, {28: "far"})])
    assert [(cell.text, cell.place) for cell in cells] == [("a", "A1"), ("c", "C1"), ("far", "AB2")]


def test_no_more_words_are_kept_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MAX_WORDS", 3)
    assert [len(page.words) for page in words.unpack(words.pack([Page("a b"), Page("c d"), Page("e")]))] == [2, 1, 0]


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[:-3], lambda raw: b"\xff" + raw, lambda _: b"", lambda _: b"\x92\x09\x90"]
)
def test_a_damaged_file_is_refused(damage) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"words|version"):
        words.unpack(damage(words.pack([Page("a", words_of_text("some words"))])))


def test_a_missing_file_has_no_pages(tmp_path: Path) -> None:
    assert words.load(tmp_path / "WORDS") == []
