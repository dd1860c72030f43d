"""Words of a line stand where their ink is, apart where their ink is."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw, ImageFont

from docfleet.tools.builtin.text_extractor.spacing import words_of
from docfleet.tools.sdk.words import Word

PITCH = 30


def typed(text: str) -> Image.Image:
    """A line of a typewriter: each character in a cell of its own."""
    image = Image.new("L", (PITCH * len(text) + 20, 60), 255)
    for index, character in enumerate(text):
        ImageDraw.Draw(image).text((10 + index * PITCH, 5), character, fill=0, font=ImageFont.load_default(40))
    return image


def read_as(text: str, image: Image.Image) -> list[Word]:
    return words_of(Word(text, 0, 0, image.width, image.height, 0.9), image)


@pytest.mark.parametrize(
    ("printed", "read", "words"),
    [
        ("2 x", "2x", ["2", "x"]),
        ("0.80 ZRL", "0.80ZRL", ["0.80", "ZRL"]),
        ("NO: 00133", "NO:00133", ["NO:", "00133"]),
        ("GST (6%)", "GST(6%)", ["GST", "(6%)"]),
        ("Total QTY: 8", "Total QTY:8", ["Total", "QTY:", "8"]),
        ("Nettobetrag", "Netto betrag", ["Nettobetrag"]),
        ("13:11:45", "13:11:45", ["13:11:45"]),
        ("1.234,56", "1.234,56", ["1.234,56"]),
    ],
)
def test_spaces_are_where_the_ink_has_gaps(printed: str, read: str, words: list[str]) -> None:
    assert [word.text for word in read_as(read, typed(printed))] == words


def test_each_word_has_the_box_of_its_ink() -> None:
    first, second = read_as("Hab HH", typed("Hab HH"))
    assert (first.left, second.left) == pytest.approx((13, 133), abs=4)
    assert (first.right, second.right) == pytest.approx((92, 189), abs=8)
    assert (first.top, first.bottom) == pytest.approx((14, 45), abs=6)
    assert first.confidence == 0.9


def test_words_without_ink_share_the_box_by_their_length() -> None:
    first, second = read_as("four four", Image.new("L", (180, 20), 255))
    assert (first.left, first.top, second.right, second.bottom) == pytest.approx((0, 0, 180, 20), abs=0.01)
    assert 70 < first.right < second.left < 110


def test_touching_letters_keep_the_spaces_that_were_read() -> None:
    image = typed("Harbour Works")
    ImageDraw.Draw(image).line((40, 44, 200, 44), fill=0, width=2)  # underlined: one run of ink
    first, second = read_as("Harbour Works", image)
    assert (first.text, second.text) == ("Harbour", "Works")
    assert second.left == pytest.approx(250, abs=12)


def test_a_line_of_one_run_of_ink_is_divided() -> None:
    image = Image.new("L", (200, 40), 255)
    ImageDraw.Draw(image).rectangle((10, 10, 190, 30), fill=0)
    assert [word.text for word in read_as("two words", image)] == ["two", "words"]
