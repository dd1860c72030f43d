"""PDF: its pages, the facts about it, and what stands on no page."""

from __future__ import annotations

import contextlib
import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docfleet.core.errors import CorruptFile, FileTooLarge, PasswordRequired
from docfleet.tools.builtin.text_extractor.document import (
    SEND_AGAIN,
    Document,
    LanguageMissing,
    ReadOptions,
    reading_of,
)
from docfleet.tools.builtin.text_extractor.pdf_page import read_page
from docfleet.tools.builtin.text_extractor.pdf_rescue import rescued_pages, states_too_few
from docfleet.tools.builtin.text_extractor.pdf_xfa import is_xfa, xfa_values
from docfleet.tools.sdk.words import Page

if TYPE_CHECKING:
    import pypdfium2 as pdfium


def read_pdf(path: Path, reading: ReadOptions) -> Document:
    """The text of each page. Raises ``PasswordRequired``, ``CorruptFile``, ``FileTooLarge``."""
    import pypdfium2 as pdfium

    with reading_of("the PDF", pdfium.PdfiumError), closing(_opened(path)) as document:
        document.init_forms()
        if len(document) > reading.max_pages:
            raise FileTooLarge(f"the PDF has {len(document)} pages, the limit is {reading.max_pages} (max_pages)")
        result = Document([], {"pages": len(document), **_facts(document)})
        laid_out = _pdfplumber_pages(path) if reading.pdf_text == "layout" else None
        unreadable: list[LanguageMissing] = []
        for index in range(len(document)):
            result.pages.append(_page(document, index, reading, laid_out, result, unreadable))
            reading.progress(index + 1, len(document))
        if is_xfa(document):
            _add_xfa(document, result)
    lost = result.metadata.get("pages_unreadable", [])
    damaged = len(lost) - len(unreadable)
    if damaged or states_too_few(path, len(result.pages)):
        _rescue(path, len(result.pages) - damaged, reading, result)
    if len(lost) == len(result.pages):
        if unreadable:
            raise unreadable[-1]
        raise CorruptFile(f"the PDF is damaged: none of its pages can be read; {SEND_AGAIN}")
    return result


def _opened(path: Path) -> pdfium.PdfDocument:
    import pypdfium2 as pdfium

    try:
        return pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        if re.search("password|security", str(error), re.IGNORECASE):
            raise PasswordRequired(
                "password required: the PDF is encrypted; remove the password and send it again"
            ) from error
        raise


def _page(
    document: pdfium.PdfDocument,
    index: int,
    reading: ReadOptions,
    laid_out: list[str] | None,
    result: Document,
    unreadable: list[LanguageMissing],
) -> Page:
    """A page; one that cannot be read is said in its place, and does not cost the others."""
    import pypdfium2 as pdfium

    number = index + 1
    try:
        with reading_of(f"page {number} of the PDF", pdfium.PdfiumError):
            return read_page(document, index, reading, laid_out[index] if laid_out else None)
    except CorruptFile:
        cause = "is damaged and cannot be read"
    except LanguageMissing as error:
        unreadable.append(error)
        cause = f"cannot be read: {error.message}"
    result.metadata.setdefault("pages_unreadable", []).append(number)
    result.warnings.append(f"page {number} of {len(document)} {cause}")
    return Page(f"[page {number} {cause.partition(':')[0]}]")


def _rescue(path: Path, intact: int, reading: ReadOptions, result: Document) -> None:
    """Add the pages that the list of pages leaves out."""
    with contextlib.suppress(CorruptFile), reading_of("the PDF"):
        found = rescued_pages(path, intact, reading.max_pages - len(result.pages))
        if found:
            result.pages += found
            result.metadata["pages"] = len(result.pages)
            result.warnings.append(f"the list of pages is damaged: the last {len(found)} were found without it")


def _add_xfa(document: pdfium.PdfDocument, result: Document) -> None:
    """Add the values of an XFA form that stand on none of its pages."""
    result.metadata["form"] = "XFA"
    seen = " ".join(" ".join(page.text.split()) for page in result.pages)
    values = [f"{name}: {value}" for name, value in xfa_values(document) if value not in seen]
    if values:
        result.pages[-1].text += "\n\n" + "\n".join(values) + "\n"


def _pdfplumber_pages(path: Path) -> list[str]:
    import pdfplumber

    with pdfplumber.open(path) as document:
        return [page.extract_text(layout=True) or "" for page in document.pages]


def _facts(document: pdfium.PdfDocument) -> dict[str, Any]:
    facts: dict[str, Any] = {
        key.lower(): value for key, value in document.get_metadata_dict(skip_empty=True).items() if value.strip()
    }
    names = [document.get_attachment(index).get_name() for index in range(document.count_attachments())]
    if names:
        facts["attachments"] = names
    return facts
