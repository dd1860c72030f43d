"""Pictures are recognized; what OCR lacks is named."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont

from docfleet.tools.builtin.text_extractor.document import Reading
from docfleet.tools.builtin.text_extractor.ocr import read_image, recognize
from docfleet.tools.builtin.text_extractor.recognized import Recognized
from docfleet.tools.registry import ToolRegistry
from docfleet.tools.sdk.words import Page, Word
from tests.unit.tools.builtin.text_extractor.documents import Extract, picture


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGBA"), ("PNG", "P"), ("JPEG", "RGB"), ("TIFF", "1"), ("BMP", "RGB"), ("GIF", "L"), ("WEBP", "RGB")],
)
def test_images_of_every_kind(extract: Extract, kind: str, mode: str) -> None:
    assert "Harbour 4711" in extract(picture("Harbour 4711", kind, mode))


def test_a_picture_without_text_says_so(extract: Extract) -> None:
    assert extract(picture("")).strip() == "[no text was recognised in this image]"


def test_every_page_of_a_tiff_is_read(extract: Extract) -> None:
    frames = [Image.open(io.BytesIO(picture(text))) for text in ("first", "second")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "TIFF", save_all=True, append_images=frames[1:])
    assert extract(buffer.getvalue()).split() == ["first", "second"]


def test_an_ocr_language_that_is_missing_names_its_package(extract: Extract) -> None:
    error = extract(picture("x"), fails=True, ocr_language="tlh")
    assert error.error_code == "tool_settings_invalid" and "tesseract-ocr-tlh" in error.log


@pytest.mark.parametrize("engine", ["ppocr", "tesseract"])
def test_a_picture_with_a_side_too_long_for_tesseract_is_read(extract: Extract, engine: str) -> None:
    image = Image.new("L", (500, 40_000), 255)  # as a receipt on a roll
    ImageDraw.Draw(image).text((60, 60), "Harbour 4711", fill=0, font=ImageFont.load_default(48))
    assert "Harbour" in extract(saved_as_png(image), ocr_engine=engine)


def saved_as_png(image: Image.Image) -> bytes:
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


def reading(**settings: Any) -> Reading:
    return Reading.from_settings(ToolRegistry.load().validate("text_extractor", settings), lambda *_: None)


def read(path: Path, content: bytes, **settings: Any) -> Page:
    (path / "picture").write_bytes(content)
    (page,) = read_image(path / "picture", reading(**settings)).pages
    return page


def ink(image: Image.Image) -> tuple[int, int, int, int]:
    """The box of what is drawn on white."""
    box = ImageChops.invert(image.convert("L")).point(lambda level: 255 if level > 128 else 0).getbbox()
    assert box is not None
    return box


def united(words: list[Word]) -> tuple[float, float, float, float]:
    return (
        min(word.left for word in words),
        min(word.top for word in words),
        max(word.right for word in words),
        max(word.bottom for word in words),
    )


def test_words_have_their_boxes_and_confidence() -> None:
    image = Image.open(io.BytesIO(picture("Harbour 4711")))
    recognized = recognize(image, reading())
    assert [word.text for word in recognized.words] == ["Harbour", "4711"] == recognized.text.split()
    assert united(recognized.words) == pytest.approx(ink(image), abs=12)
    assert all(word.confidence is not None and 0.5 < word.confidence <= 1 for word in recognized.words)


def test_boxes_are_in_pixels_of_the_picture_as_given_though_it_is_enlarged() -> None:
    image = Image.new("L", (300, 80), 255)
    ImageDraw.Draw(image).text((20, 20), "Harbour 4711", fill=0, font=ImageFont.load_default(24))
    words = recognize(image, reading()).words
    assert united(words) == pytest.approx(ink(image), abs=12)


def test_boxes_count_from_the_edge_of_the_picture_though_its_border_is_cut_off() -> None:
    image = Image.open(io.BytesIO(picture("No 7")))  # few characters: read again without the border
    words = recognize(image, reading()).words
    assert united(words) == pytest.approx(ink(image), abs=12)


def test_a_page_is_as_large_as_its_picture_at_its_resolution(tmp_path: Path) -> None:
    page = read(tmp_path, picture("Harbour 4711", dpi=(300, 150)))
    left, top, right, bottom = ink(Image.open(io.BytesIO(picture("Harbour 4711"))))
    assert (page.width, page.height) == pytest.approx((900 * 72 / 300, 160 * 72 / 150), rel=0.001)
    assert united(page.words) == pytest.approx((left * 0.24, top * 0.48, right * 0.24, bottom * 0.48), abs=2)


@pytest.mark.parametrize("options", [{}, {"dpi": (1, 1)}])
def test_a_pixel_is_a_point_where_a_picture_states_no_credible_resolution(tmp_path: Path, options: Any) -> None:
    page = read(tmp_path, picture("Harbour 4711", **options))
    assert (page.width, page.height) == (900, 160)


def test_a_page_without_ocr_has_its_size_and_no_words(tmp_path: Path) -> None:
    page = read(tmp_path, picture("Harbour 4711"), ocr="never")
    assert (page.width, page.height, page.words, page.by_ocr) == (900, 160, [], False)


def test_words_in_another_unit_keep_text_and_confidence() -> None:
    recognized = Recognized("a", [Word("a", 1, 2, 3, 4, 0.5)])
    assert recognized.scaled(2, 10) == [Word("a", 2, 20, 6, 40, 0.5)]
