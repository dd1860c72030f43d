"""Read the text of a document, whatever its type."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast, override

from docfleet.core.errors import CorruptFile, PasswordRequired, UnsupportedFileType
from docfleet.tools.builtin.text_extractor.document import SEND_AGAIN, Document, ReadOptions, reading_of
from docfleet.tools.builtin.text_extractor.formats import READERS, REFUSED
from docfleet.tools.protocol import OutputType, ToolLogLevel
from docfleet.tools.sdk import RunContext, Tool, ToolResult, media
from docfleet.tools.sdk.words import Page

Reader = Callable[[Path, ReadOptions], Document]

_SEND = "send a PDF, office, mail, web or image file"
_MODULES = sorted({reader.partition(":")[0] for reader in READERS.values()} | {"pdf_xfa"})
_PRELOADED = (
    "pypdfium2",
    "PIL.Image",
    "tesserocr",
    "bs4",
    "lxml.html",
    "lxml.etree",
    "chardetng_py",
    "webencodings",
    "python_calamine",
)


def reader_of(mime: str) -> Reader:
    """The function that reads this type. Raises ``UnsupportedFileType``, ``PasswordRequired`` (encrypted Office)."""
    if mime == media.ENCRYPTED_OFFICE:
        raise PasswordRequired(
            "password required: the office document is encrypted; remove the password and send it again"
        )
    if mime == media.OLE:
        raise CorruptFile(
            "the file is an old office document or an Outlook message that is damaged or cut off, so it cannot be "
            f"read: {SEND_AGAIN}"
        )
    if mime == media.DAMAGED_ARCHIVE:
        raise CorruptFile(
            "the file is an office document or an archive that is damaged or cut off, so it cannot be read: send it"
            " again, completely"
        )
    if mime == media.UNKNOWN:
        raise UnsupportedFileType(f"the type of the file is not known, it is not supported or damaged: {_SEND}")
    if mime in REFUSED:
        this, other = REFUSED[mime]
        raise UnsupportedFileType(f"the file is {this}, which is not supported: send {other}")
    if mime not in READERS:
        raise UnsupportedFileType(f"files of type {mime} are not supported: {_SEND}")
    module, _, function = READERS[mime].partition(":")
    # Each reader imports a library of its own; a run pays for one of them.
    return cast("Reader", getattr(importlib.import_module(f"{__package__}.{module}"), function))


class TextExtractor(Tool):
    """Text, or with ``output: json`` an object ``{"text", "pages": [...], "metadata": {...}}``."""

    @override
    def preload(self) -> None:
        super().preload()
        for name in _MODULES:
            importlib.import_module(f"{__package__}.{name}")
        for name in _PRELOADED:
            importlib.import_module(name)
        ocr = importlib.import_module(f"{__package__}.ocr")
        ocr.preload()

    @override
    def run(self, settings: dict[str, Any], context: RunContext) -> ToolResult:
        mime = context.input_mime
        read = reader_of(mime)
        with reading_of("the document"):
            document = read(context.input_path, ReadOptions.from_settings(settings, context.progress))
        for warning in document.warnings:
            context.log(warning, ToolLogLevel.WARN)
        if not any(page.text.strip() for page in document.pages):
            context.log("the document holds no text", ToolLogLevel.WARN)
            document.pages = [Page("[the document holds no text]")]
        ocr_pages = sum(page.by_ocr for page in document.pages)
        usage = {"ocr_pages": ocr_pages} if ocr_pages else {}
        if settings["output"] == "text":
            text = document.text
            return ToolResult(text, OutputType.TXT, pages=len(document.pages), usage=usage, words=document.pages)
        output = {
            "text": document.text,
            "pages": [page.text for page in document.pages],
            "metadata": {"source_name": context.source_name, "mime": mime, **document.metadata},
        }
        return ToolResult(output, OutputType.JSON, pages=len(document.pages), usage=usage, words=document.pages)


tool = TextExtractor(Path(__file__).parent / "config")
