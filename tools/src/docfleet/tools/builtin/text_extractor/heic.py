"""HEIC, the pictures of phones."""

from __future__ import annotations

from pathlib import Path

from docfleet.tools.builtin.text_extractor.document import Document, ReadOptions, reading_of
from docfleet.tools.builtin.text_extractor.ocr import read_image


def read_heic(path: Path, reading: ReadOptions) -> Document:
    """As ``read_image``, after Pillow has learnt the format."""
    import pi_heif

    pi_heif.register_heif_opener()
    with reading_of("the HEIC image"):
        pi_heif.open_heif(path)
    return read_image(path, reading)
