"""Pages that PDFium does not find, because the list of pages in the PDF is damaged."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

from docfleet.tools.builtin.text_extractor.layout import arrange
from docfleet.tools.sdk.words import Page, Word

_PAGE_OBJECT = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")


def states_too_few(path: Path, pages: int) -> bool:
    """Whether more page objects stand in the file than its list of pages counts; versions of a page count, too."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return sum(1 for _ in _PAGE_OBJECT.finditer(content)) > pages


def rescued_pages(path: Path, after: int, at_most: int) -> list[Page]:
    """The pages after the first ``after`` intact ones, as pdfminer finds them in the tree of pages.

    It follows the tree, and does not believe its counts. Raises whatever pdfminer raises.
    """
    import pdfplumber

    pages: list[Page] = []
    with pdfplumber.open(path) as document:
        for page in document.pages[after : after + at_most]:
            words = [
                Word(word["text"], word["x0"], word["top"], word["x1"], word["bottom"])
                for word in page.extract_words(keep_blank_chars=False)
            ]
            pages.append(Page(arrange(words), words, float(page.width), float(page.height)))
            page.close()
    return pages
