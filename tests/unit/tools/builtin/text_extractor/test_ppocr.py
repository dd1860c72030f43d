"""What PP-OCR reads is put right where its shape says so."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from docfleet.tools.builtin.text_extractor import ppocr


class Engine:
    """Gives the lines that a test wants, as the library does."""

    def __init__(self, *lines: tuple[str, float]) -> None:
        self.lines = lines

    def ocr(self, _: bytes) -> dict[str, Any]:
        bounds = {
            index: {
                "text": text,
                "confidence": confidence,
                "topLeftCoord": (42, 42 + 40 * index),
                "bottomRightCoord": (342, 62 + 40 * index),
            }
            for index, (text, confidence) in enumerate(self.lines)
        }
        return {"bounds": bounds}


def read(monkeypatch: pytest.MonkeyPatch, *lines: tuple[str, float]) -> str:
    monkeypatch.setattr(ppocr, "_engine", lambda *_: Engine(*lines))
    return "\n".join(
        row.strip() for row in ppocr.read(Image.new("L", (400, 400), 255), "tiny").text.splitlines() if row
    )


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        ("INV0ICE", "INVOICE"),
        ("0ffice", "Office"),
        ("DESIGNAT1ON", "DESIGNATION"),
        ("5O.00", "50.00"),
        ("1O,5O", "10,50"),
        ("B0X", "B0X"),
        ("AB0C12DE", "AB0C12DE"),
        ("DE00XYZW", "DE00XYZW"),
        ("OR180303", "OR180303"),
        ("O", "O"),
    ],
)
def test_letters_and_digits_that_look_alike(monkeypatch: pytest.MonkeyPatch, seen: str, text: str) -> None:
    assert read(monkeypatch, (seen, 0.95)) == text


def test_what_is_hardly_text_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, ("Total", 0.97), ("长於長於長於", 0.47)) == "Total"


@pytest.mark.parametrize(("seen", "text"), [("Rate 6\uff05\uff08a\uff09", "Rate 6%(a)"), ("税率\uff16", "税率\uff16")])
def test_full_width_signs_are_kept_in_chinese_only(monkeypatch: pytest.MonkeyPatch, seen: str, text: str) -> None:
    assert read(monkeypatch, (seen, 0.97)).replace(" (", "(") == text


def test_a_roll_of_paper_is_read_in_parts_and_each_line_once() -> None:
    image = Image.new("L", (400, 4000), 255)
    for index in range(11, 71):
        text = f"line {index} of it"
        ImageDraw.Draw(image).text((40, 20 + (index - 11) * 66), text, fill=0, font=ImageFont.load_default(36))
    rows = [row.strip() for row in ppocr.read(image, "tiny").text.splitlines() if row.strip()]
    assert rows == [f"line {index} of it" for index in range(11, 71)]


def test_small_print_on_a_poster_is_read_and_each_word_once() -> None:
    image = Image.new("L", (9000, 1200), 255)
    text = " ".join(f"word{index}" for index in range(11, 55))
    for row in range(4):
        ImageDraw.Draw(image).text((40, 100 + row * 250), text, fill=0, font=ImageFont.load_default(48))
    assert ppocr.read(image, "tiny").text.split() == text.split() * 4
