"""The result of every reader of this tool, and their common settings."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docfleet.core.errors import CorruptFile, FileTooLarge

MIB = 1024 * 1024
# Exceptions that third-party readers raise on damaged content. A fault of our code may be one of these, too; its
# message still names it.
DAMAGE = (
    KeyError,
    IndexError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    OSError,
    EOFError,
    SyntaxError,
    NotImplementedError,
    RecursionError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)
# An archive below this size is never called a bomb, whatever its ratio: short repetitive sheets compress 100:1.
_HARMLESS_BYTES = 50 * MIB
_MAX_RATIO = 200


@dataclass(slots=True)
class Document:
    """The text of each page (sheet, slide, chapter), facts about the document, and how many pages took OCR."""

    pages: list[str]
    metadata: dict[str, Any] = field(default_factory=dict)
    ocr_pages: int = 0

    @property
    def text(self) -> str:
        """The complete text; pages are separated by a form feed, as text tools expect."""
        return "\f".join(page.strip("\n") + "\n" for page in self.pages)


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read: the settings of the tool, typed."""

    pdf_text: str
    ocr: str
    ocr_engine: str
    ocr_language: str
    ocr_dpi: int
    max_pages: int
    max_pixels: int
    max_expanded_bytes: int
    progress: Callable[[int, int], None]
    """Called after each page with the pages read so far, and of how many."""

    @classmethod
    def from_settings(cls, settings: dict[str, Any], progress: Callable[[int, int], None]) -> Reading:
        """From validated settings."""
        return cls(
            pdf_text=settings["pdf_text"],
            ocr=settings["ocr"],
            ocr_engine=settings["ocr_engine"],
            ocr_language=settings["ocr_language"],
            ocr_dpi=settings["ocr_dpi"],
            max_pages=settings["max_pages"],
            max_pixels=settings["max_megapixels"] * 1_000_000,
            max_expanded_bytes=settings["max_expanded_megabytes"] * MIB,
            progress=progress,
        )


def check_archive(path: Path, reading: Reading) -> None:
    """Refuse a zip-based document that would unpack to many times its size.

    Raises ``FileTooLarge``, or ``CorruptFile`` when it is not a valid archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            expanded = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise CorruptFile(f"the file is damaged: it is not a valid archive ({error}); send it again") from error
    ratio = expanded / max(path.stat().st_size, 1)
    if expanded > reading.max_expanded_bytes or (expanded > _HARMLESS_BYTES and ratio > _MAX_RATIO):
        raise FileTooLarge(
            f"the document unpacks to {expanded // MIB} MiB ({ratio:.0f} times its size), which looks like an"
            " archive bomb; raise max_expanded_megabytes if it is intended"
        )
