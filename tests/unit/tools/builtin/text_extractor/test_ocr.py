"""Pictures are recognized; what OCR lacks is named."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont

from docfleet.tools.builtin.text_extractor import ppocr, tesseract
from docfleet.tools.builtin.text_extractor.document import ReadOptions
from docfleet.tools.builtin.text_extractor.ocr import read_image, recognize
from docfleet.tools.builtin.text_extractor.recognized import Recognized
from docfleet.tools.registry import ToolRegistry
from docfleet.tools.sdk.words import Page, Word
from tests.unit.tools.builtin.text_extractor.documents import Extract, picture, russian, written


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


def reading(**settings: Any) -> ReadOptions:
    return ReadOptions.from_settings(ToolRegistry.load().validate("text_extractor", settings), lambda *_: None)


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


def letter() -> Image.Image:
    """A page with a few lines, as a scanner sees it."""
    image = Image.new("L", (900, 700), 255)
    text = "Harbour Works\nInvoice 4711\nChartered barges\nTotal amount 475.00\nPayable in thirty days"
    ImageDraw.Draw(image).multiline_text((80, 80), text, fill=0, font=ImageFont.load_default(44), spacing=30)
    return image


def rows(text: str) -> list[str]:
    return [row.strip() for row in text.splitlines() if row.strip()]


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


@pytest.mark.parametrize("engine", ["ppocr", "tesseract"])
@pytest.mark.parametrize("degrees", [90, 180, 270, 4, -9, 94])
def test_a_turned_picture_is_read_in_its_direction_and_its_boxes_stay(engine: str, degrees: int) -> None:
    image = letter().rotate(degrees, expand=True, fillcolor=255)
    recognized = recognize(image, reading(ocr_engine=engine))
    lines = rows(recognized.text)
    assert lines[0] == "Harbour Works" and lines[3] == "Total amount 475.00"
    assert united(recognized.words) == pytest.approx(ink(image), abs=16)


def test_an_upright_page_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[str] = []
    once = ppocr.read

    def counted(image: Image.Image, size: str) -> Recognized:
        passes.append(size)
        return once(image, size)

    monkeypatch.setattr(ppocr, "read", counted)
    recognize(letter(), reading())
    assert passes == ["tiny"]


def test_a_picture_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    image = letter().transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned to the right
    target = io.BytesIO()
    image.save(target, "JPEG", exif=exif, quality=95)
    page = read(tmp_path, target.getvalue())
    assert rows(page.text)[1] == "Invoice 4711" and (page.width, page.height) == (900, 700)
    assert united(page.words) == pytest.approx(ink(letter()), abs=12)


@pytest.mark.parametrize("torn", [False, True])
def test_a_black_border_hides_nothing(torn: bool) -> None:
    image = Image.new("L", (1100, 900), 10)
    image.paste(letter(), (100, 100))
    for top in range(0, 900, 40) if torn else ():
        ImageDraw.Draw(image).polygon([(0, top), (100, top), (100 + top * 7 % 60, top + 20), (100, top + 40)], fill=10)
    text = rows(recognize(image, reading()).text)
    assert {"Invoice 4711", "Total amount 475.00"} <= set(text)


def test_a_page_in_another_script_names_the_data_that_it_needs(
    extract: Extract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tesseract, "_SYSTEM_FOLDERS", ())
    error = extract(saved_as_png(russian()), fails=True)
    assert error.error_code == "tool_settings_invalid"
    assert "Cyrillic" in error.log and "tesseract-ocr-rus" in error.log


def test_a_page_in_another_script_is_read_in_the_languages_that_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    read_in: list[str] = []

    def remembered(image: Image.Image, language: str) -> Recognized:
        read_in.append(language)
        return Recognized("Счёт", [Word("Счёт", 1, 2, 3, 4, 0.9)], 0.9)

    monkeypatch.setattr(tesseract, "installed", lambda names: [name for name in names if name in ("bul", "rus")])
    monkeypatch.setattr(tesseract, "read", remembered)
    assert recognize(russian(), reading()).text == "Счёт"
    assert read_in == ["rus+bul"]


@pytest.mark.parametrize("language", ["deu", "eng+fra", "chi_sim"])
def test_a_language_that_the_engine_reads_needs_no_data(language: str) -> None:
    assert "Invoice 4711" in recognize(letter(), reading(ocr_language=language)).text


def test_letters_of_other_languages_are_read() -> None:
    text = recognize(written("Größe und Übermaß", "la façade été", "Łódź, święto"), reading()).text
    assert text.split() == ["Größe", "und", "Übermaß", "la", "façade", "été", "Łódź,", "święto"]


def test_nothing_that_a_fork_would_lose_is_preloaded() -> None:
    code = (
        "import os; from docfleet.tools.builtin.text_extractor.tool import tool; tool.preload();"
        "print(len(os.listdir('/proc/self/task')))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "1"
