"""Text recognition (OCR) in pictures: which engine reads them, in which direction and language."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from docfleet.core.errors import FileTooLarge
from docfleet.tools.builtin.text_extractor import ppocr, tesseract
from docfleet.tools.builtin.text_extractor.document import Document, LanguageMissing, ReadOptions, reading_of
from docfleet.tools.builtin.text_extractor.languages import (
    AUTO,
    LANGUAGES_OF_SCRIPT,
    SMALL_LANGUAGES,
    SMALL_SCRIPTS,
    TINY_LANGUAGES,
    looks_foreign,
)
from docfleet.tools.builtin.text_extractor.orientation import Back, skew, turned
from docfleet.tools.builtin.text_extractor.recognized import Recognized
from docfleet.tools.sdk.words import Page

if TYPE_CHECKING:
    from PIL.Image import Image

NO_TEXT = "[no text was recognised in this image]"
_MAX_FRAMES = 500
_POINTS_PER_INCH = 72
# What a file says below or above this is a slip of its program: no scanner works so.
_CREDIBLE_DPI = range(30, 4801)
# Text that stands upright in a script that the engine knows is read with at least this mean confidence. Below it other
# directions are tried, which costs a pass for each.
_GOOD = 0.8
_GOOD_TESSERACT = 0.6
_TURNED_RIGHT = 0.7
# More languages at once cost time, and confuse letters.
_MOST_LANGUAGES = 2


def read_image(path: Path, reading: ReadOptions) -> Document:
    """The text and words of each frame (TIFF may have many). Raises ``CorruptFile``, ``FileTooLarge``.

    A page is as large as the picture at the resolution that its file states; without one, a pixel is a point.
    """
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # the check below is stricter and names its setting
    result = Document([])
    with reading_of("the image"), Image.open(path) as image:
        frames = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        if frames > min(reading.max_pages, _MAX_FRAMES):
            raise FileTooLarge(f"the image has {frames} pages, the limit is {min(reading.max_pages, _MAX_FRAMES)}")
        result.metadata |= {"pages": frames, "width": image.width, "height": image.height}
        for index in range(frames):
            image.seek(index)
            if image.width * image.height > reading.max_pixels:
                raise FileTooLarge(
                    f"the image has {image.width} x {image.height} pixels, the limit is"
                    f" {reading.max_pixels // 1_000_000} million (max_megapixels)"
                )
            across, down = _points_per_pixel(image)
            upright = ImageOps.exif_transpose(image)
            if (upright.width, upright.height) != (image.width, image.height):
                across, down = down, across
            by_ocr = reading.ocr != "never"
            recognized = recognize(upright, reading) if by_ocr else Recognized("")
            result.pages.append(
                Page(
                    recognized.text if recognized.text.strip() else NO_TEXT,
                    recognized.scaled(across, down),
                    upright.width * across,
                    upright.height * down,
                    by_ocr,
                )
            )
            reading.progress(index + 1, frames)
    return result


def _points_per_pixel(image: Image) -> tuple[float, float]:
    """Width and height of a pixel of ``image`` in points."""
    stated = image.info.get("dpi") or ()
    resolutions = [float(value) for value in stated]
    if len(resolutions) != 2 or any(round(value) not in _CREDIBLE_DPI for value in resolutions):
        return 1.0, 1.0
    return _POINTS_PER_INCH / resolutions[0], _POINTS_PER_INCH / resolutions[1]


def recognize(image: Image, reading: ReadOptions) -> Recognized:
    """The text in ``image``, columns kept apart by spaces, and its words with boxes in pixels of ``image`` as it is.

    A picture that is askew, on its side or upside down is turned before it is read. Raises ``ToolSettingsInvalid`` for
    a language that is not installed, ``LanguageMissing`` for one that the script of the picture needs.
    """
    grey = _grey(image)
    if _by_tesseract(reading):
        return _read_by_tesseract(grey, "eng" if reading.ocr_language == AUTO else reading.ocr_language)
    small = reading.ocr_engine == "ppocr-small" or not set(reading.ocr_language.split("+")) <= {AUTO, *TINY_LANGUAGES}
    best = _read_by_ppocr(grey, "small" if small else "tiny")
    if reading.ocr_language == AUTO and looks_foreign(best.text, best.confidence):
        return _other_script(grey, best, small=small)
    return best


def _other_script(image: Image, best: Recognized, *, small: bool) -> Recognized:
    """What is read by the engine that knows the script of ``image``; ``best`` where the script is not clear."""
    script = tesseract.script_of(image, {*SMALL_SCRIPTS, *LANGUAGES_OF_SCRIPT})
    if script in SMALL_SCRIPTS:
        return best if small else _better(best, _read_by_ppocr(image, "small"))
    if not script:
        return best
    languages = tesseract.installed(LANGUAGES_OF_SCRIPT[script])
    if not languages:
        usual = LANGUAGES_OF_SCRIPT[script][0]
        raise LanguageMissing(
            f"a page is written in {script} script, and no language with it is installed for OCR: add the data of its"
            f" language, for instance {tesseract.package_of(usual)}, or set ocr_language"
        )
    attempt = _read_by_tesseract(image, "+".join(languages[:_MOST_LANGUAGES]))
    return attempt if attempt.confidence >= _GOOD_TESSERACT else _better(best, attempt)


def _by_tesseract(reading: ReadOptions) -> bool:
    languages = set(reading.ocr_language.split("+"))
    return reading.ocr_engine == "tesseract" or not languages <= {AUTO, *SMALL_LANGUAGES}


def _read_by_ppocr(image: Image, size: str) -> Recognized:
    best = _level(image, lambda picture: ppocr.read(picture, size))
    if best.confidence == 0 or (best.confidence >= _GOOD and not best.sideways):
        return best
    for degrees in _turns(best):
        attempt = _level(image, lambda picture: ppocr.read(picture, size), degrees)
        if attempt.confidence >= _GOOD and not attempt.sideways:
            return attempt
        best = _better(best, attempt)
    return best


def _turns(first: Recognized) -> tuple[int, ...]:
    """By how many degrees a picture may have to be turned that was read so, the likeliest first."""
    if not first.sideways:
        return (180,)
    # The engine turns a high line to the right before it reads it: it stands on its head in one of the two directions.
    return (90, 270) if first.confidence >= _TURNED_RIGHT else (270, 90)


def _read_by_tesseract(image: Image, language: str) -> Recognized:
    best = _level(image, lambda picture: tesseract.read(picture, language))
    if best.confidence >= _GOOD_TESSERACT:
        return best
    turn = tesseract.turn_of(image)
    if not turn:
        return best
    return _better(best, _level(image, lambda picture: tesseract.read(picture, language), turn))


def _better(one: Recognized, other: Recognized) -> Recognized:
    """Which of the two attempts has read more: by its characters and their confidence."""
    return max(one, other, key=lambda attempt: attempt.weight)


def _level(image: Image, read: Callable[[Image], Recognized], degrees: int = 0) -> Recognized:
    """What is read when ``image`` is turned by ``degrees`` and its lines are made level; boxes as in ``image``."""
    backs: list[Back] = []
    if degrees:
        image, back = turned(image, degrees)
        backs.append(back)
    tilt = skew(image)
    if tilt:
        image, back = turned(image, tilt)
        backs.append(back)
    recognized = read(image)
    for back in reversed(backs):
        recognized.words = [back(word) for word in recognized.words]
    return recognized


def _grey(image: Image) -> Image:
    """The picture in grey on white."""
    import PIL.Image

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        # Transparent areas count as paper: without this they would turn black.
        picture = image.convert("RGBA")
        paper = PIL.Image.new("RGBA", picture.size, "white")
        image = PIL.Image.alpha_composite(paper, picture)
    return image.convert("L")


def preload() -> None:
    """Load what every run needs, and the usual picture formats: runs that are forked later have it."""
    import PIL.Image

    PIL.Image.preinit()
    for name in ("TiffImagePlugin", "WebPImagePlugin"):
        importlib.import_module(f"PIL.{name}")
    ppocr.preload()
