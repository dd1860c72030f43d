"""Pictures are recognized; what OCR lacks is named."""

from __future__ import annotations

import importlib.util
import io

import pytest
from PIL import Image, ImageDraw, ImageFont

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
    assert error.error_code == "tool_settings_invalid" and "tessdata-fast-tlh" in error.log


@pytest.mark.skipif(importlib.util.find_spec("rapidocr") is not None, reason="rapidocr is installed")
def test_an_ocr_engine_that_is_missing_names_its_extra(extract: Extract) -> None:
    error = extract(picture("x"), fails=True, ocr_engine="rapidocr")
    assert error.error_code == "tool_settings_invalid" and "docfleet-tools[rapidocr]" in error.log


def test_a_picture_with_a_side_too_long_for_tesseract_is_read(extract: Extract) -> None:
    image = Image.new("L", (500, 40_000), 255)  # as a receipt on a roll
    ImageDraw.Draw(image).text((60, 60), "Harbour 4711", fill=0, font=ImageFont.load_default(48))
    assert "Harbour" in extract(saved_as_png(image))


def saved_as_png(image: Image.Image) -> bytes:
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()
