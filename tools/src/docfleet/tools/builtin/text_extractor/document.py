"""The result of every reader of this tool, and their common settings."""

from __future__ import annotations

import struct
import sys
import traceback
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docfleet.core.errors import CorruptFile, DocfleetError, FileTooLarge, PasswordRequired, ToolSettingsInvalid
from docfleet.core.machine import machine_trouble
from docfleet.tools.sdk.words import Page

MIB = 1024 * 1024
SEND_AGAIN = "open it in its program, save it again and send the new copy"
# What third-party readers usually raise on damaged content. Anything else may be a fault of ours, and is logged.
_USUAL = (
    KeyError,
    IndexError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    OSError,
    EOFError,
    SyntaxError,
    NotImplementedError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)
# An archive below this size is never called a bomb, whatever its ratio: short repetitive sheets compress 100:1.
_HARMLESS_BYTES = 50 * MIB
_MAX_RATIO = 200
_ENCRYPTED = 0x1  # a flag of a member of a zip archive


class LanguageMissing(ToolSettingsInvalid):
    """A page is written in a script, and no language with it is installed for OCR."""


@dataclass(slots=True)
class Document:
    """The pages, and facts about the document."""

    pages: list[Page]
    metadata: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    """What the reader of the result should know, such as a page that is lost."""

    @classmethod
    def of_texts(cls, texts: list[str], metadata: dict[str, Any] | None = None) -> Document:
        """A document whose words have no known places."""
        return cls([Page(text) for text in texts], metadata or {})

    @property
    def text(self) -> str:
        """The complete text; pages are separated by a form feed, as text tools expect."""
        return "\f".join(page.text.strip("\n") + "\n" for page in self.pages)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read: the settings of the tool, typed."""

    pdf_text: str
    ocr: str
    ocr_engine: str
    ocr_language: str
    ocr_dpi: int
    max_pages: int
    max_pixels: int
    max_expanded_bytes: int
    legacy_office: str
    progress: Callable[[int, int], None]
    """Called after each page with the pages read so far, and of how many."""

    @classmethod
    def from_settings(cls, settings: dict[str, Any], progress: Callable[[int, int], None]) -> ReadOptions:
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
            legacy_office=settings["legacy_office"],
            progress=progress,
        )


@contextmanager
def reading_of(what: str, *usual: type[Exception]) -> Iterator[None]:
    """Around a third-party reader: whatever it raises means that ``what`` cannot be read. ``usual`` are exceptions of
    the reader's own.

    Its words are for programmers, so they are left out. Raises ``CorruptFile``; errors of ours, of memory and of the
    machine pass.
    """
    try:
        yield
    except (DocfleetError, MemoryError):
        raise
    except RecursionError as error:
        raise CorruptFile(
            f"{what} is damaged: its parts are nested too deeply to be read; simplify it, or send it as a PDF"
        ) from error
    except Exception as error:
        if machine_trouble(error) is not None:
            raise
        if not isinstance(error, (*_USUAL, *usual)):
            traceback.print_exception(error, file=sys.stderr)
        # Some readers know less than the program that wrote it: the remedy is the same.
        cause = "it is damaged, cut off, or written in an unusual way"
        raise CorruptFile(f"{what} cannot be read: {cause}; {SEND_AGAIN}") from error


def check_archive(path: Path, what: str, reading: ReadOptions) -> None:
    """Refuse a zip-based document that would unpack to many times its size.

    Raises ``FileTooLarge``, ``PasswordRequired``, or ``CorruptFile`` when it is not a valid archive.
    """
    with reading_of(what), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise PasswordRequired(f"password required: {what} is encrypted; remove the password and send it again")
    expanded = sum(member.file_size for member in members)
    ratio = expanded / max(path.stat().st_size, 1)
    if expanded > reading.max_expanded_bytes or (expanded > _HARMLESS_BYTES and ratio > _MAX_RATIO):
        raise FileTooLarge(
            f"{what} unpacks to {expanded // MIB} MiB ({ratio:.0f} times its size), which looks like an"
            " archive bomb; raise max_expanded_megabytes if it is intended"
        )
