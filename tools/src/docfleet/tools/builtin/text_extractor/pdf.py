"""PDF: its text, and OCR for pages without text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docfleet.core.errors import CorruptFile, FileTooLarge, PasswordRequired
from docfleet.tools.builtin.text_extractor.document import SEND_AGAIN, Document, Reading, reading_of
from docfleet.tools.builtin.text_extractor.layout import arrange, is_right_to_left
from docfleet.tools.builtin.text_extractor.pdf_annotations import Annotations, flatten, read_annotations
from docfleet.tools.builtin.text_extractor.pdf_text import Direction, directions, tidy, written
from docfleet.tools.sdk.words import Page

if TYPE_CHECKING:
    import pypdfium2 as pdfium
    from PIL.Image import Image

# A page that draws something and has fewer visible characters than this is a scan.
_FEW_CHARACTERS = 4
_POINTS_PER_INCH = 72
# A picture narrower than this holds no word.
_WORD_PIXELS = 60


def read_pdf(path: Path, reading: Reading) -> Document:
    """The text of each page. Raises ``PasswordRequired``, ``CorruptFile``, ``FileTooLarge``."""
    import pypdfium2 as pdfium

    with reading_of("the PDF", pdfium.PdfiumError), closing(_opened(path)) as document:
        document.init_forms()
        if len(document) > reading.max_pages:
            raise FileTooLarge(f"the PDF has {len(document)} pages, the limit is {reading.max_pages} (max_pages)")
        if len(document) == 0:
            raise CorruptFile(f"the PDF is damaged: no page is left in it; {SEND_AGAIN}")
        result = Document([], {"pages": len(document), **_facts(document)})
        laid_out = _pdfplumber_pages(path) if reading.pdf_text == "layout" else None
        for index in range(len(document)):
            _read_page(document, index, reading, result, laid_out[index] if laid_out else None)
            reading.progress(index + 1, len(document))
    names = result.metadata.get("attachments")
    if names:
        result.pages[-1].text += "\n\nAttachments: " + ", ".join(names) + "\n"
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


def _read_page(
    document: pdfium.PdfDocument, index: int, reading: Reading, result: Document, laid_out: str | None
) -> None:
    import pypdfium2 as pdfium

    from docfleet.tools.builtin.text_extractor.ocr import recognize

    with reading_of(f"page {index + 1} of the PDF", pdfium.PdfiumError), _page(document, index) as (page, annotations):
        read = _typed(page, annotations, columns=reading.pdf_text == "columns")
        read.text = read.text if laid_out is None else laid_out
        visible = len("".join(read.text.split()))
        scanned = visible < _FEW_CHARACTERS and next(iter(page.get_objects(max_depth=2)), None) is not None
        if reading.ocr == "always" or (reading.ocr in ("auto", "pictures") and scanned):
            recognized = recognize(_render(page, reading), reading).text
            read.text = recognized if recognized.strip() else read.text
            read.by_ocr = True
        elif reading.ocr == "pictures":
            in_pictures = [recognize(picture, reading).text.strip("\n") for picture in _pictures(page, reading)]
            read.text = "\n\n".join([read.text, *(picture for picture in in_pictures if picture.strip())])
            read.by_ocr = bool(in_pictures)
        result.pages.append(read)


@contextmanager
def _page(document: pdfium.PdfDocument, index: int) -> Iterator[tuple[pdfium.PdfPage, Annotations]]:
    """A page, and what is typed onto it; stamps are part of its content."""
    with closing(document[index]) as page:
        annotations = read_annotations(document, page)
        if not annotations.drawn:
            yield page, annotations
            return
        flatten(page)
    with closing(document[index]) as page:
        yield page, annotations


def _typed(page: pdfium.PdfPage, annotations: Annotations, *, columns: bool) -> Page:
    """The text in the page: on a grid that keeps columns side by side, or in the order of the file; and its words."""
    width, height = page.get_size()
    with closing(page.get_textpage()) as textpage:
        runs = directions(page, textpage) or [Direction(0)]
        values = [
            word for text, box in annotations.values for word in written(text, page, box, degrees=runs[0].degrees)
        ]
        runs[0].words += values
        text = "\n\n".join(arrange(run.words) for run in runs) if columns else ""
        # Right-to-left scripts are stored in reading order; a grid sorted from the left would turn them round.
        if not columns or is_right_to_left(text):
            text = tidy(textpage.get_text_range() if columns else textpage.get_text_bounded())
            text = "\n\n".join([text, *(value for value, _ in annotations.values)])
    remarks = [f"Note: {remark}" for remark in annotations.remarks if remark not in text]
    return Page("\n\n".join([text, *remarks]), [word for run in runs for word in run.placed()], width, height)


def _pdfplumber_pages(path: Path) -> list[str]:
    import pdfplumber

    with pdfplumber.open(path) as document:
        return [page.extract_text(layout=True) or "" for page in document.pages]


def _pictures(page: pdfium.PdfPage, reading: Reading) -> Iterator[Image]:
    """The pictures on a page that could hold words, such as a letterhead that is one image."""
    import pypdfium2 as pdfium
    import pypdfium2.raw as raw

    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3):
        width, height = item.get_px_size()
        if width >= _WORD_PIXELS and height >= _WORD_PIXELS // 3 and width * height <= reading.max_pixels:
            try:
                yield item.get_bitmap(render=True).to_pil()
            except pdfium.PdfiumError:
                continue  # one picture in an exotic encoding must not fail the page


def _render(page: pdfium.PdfPage, reading: Reading) -> Image:
    width, height = page.get_size()
    scale = reading.ocr_dpi / _POINTS_PER_INCH
    pixels = width * height * scale * scale
    if pixels > reading.max_pixels:
        # A poster is readable at a lower resolution too; a page is never refused for its size.
        scale *= (reading.max_pixels / pixels) ** 0.5
    picture: Image = page.render(scale=scale, grayscale=True).to_pil()
    return picture


def _facts(document: pdfium.PdfDocument) -> dict[str, Any]:
    facts: dict[str, Any] = {
        key.lower(): value for key, value in document.get_metadata_dict(skip_empty=True).items() if value.strip()
    }
    names = [document.get_attachment(index).get_name() for index in range(document.count_attachments())]
    if names:
        facts["attachments"] = names
    return facts
