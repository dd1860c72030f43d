"""PDF: its text, and OCR for pages without text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docfleet.core.errors import CorruptFile, FileTooLarge, PasswordRequired
from docfleet.tools.builtin.text_extractor.document import SEND_AGAIN, Document, Reading, reading_of
from docfleet.tools.builtin.text_extractor.layout import arrange, is_right_to_left
from docfleet.tools.sdk.words import Page, Word

if TYPE_CHECKING:
    import pypdfium2 as pdfium
    from PIL.Image import Image

# A page that draws something and has fewer visible characters than this is a scan.
_FEW_CHARACTERS = 4
_POINTS_PER_INCH = 72
# A picture narrower than this holds no word.
_WORD_PIXELS = 60
# PDFium uses these for a hyphen at a line end, and for characters it does not know.
_NOISE = {0xFFFE: "-", 0x02: "-", 0xFEFF: "", 0xFFFF: "", 0x00: ""}
_BLANK = (0x20, 0xA0, 0x09, 0x0A, 0x0D)


def read_pdf(path: Path, reading: Reading) -> Document:
    """The text of each page. Raises ``PasswordRequired``, ``CorruptFile``, ``FileTooLarge``."""
    import pypdfium2 as pdfium

    with reading_of("the PDF", pdfium.PdfiumError), closing(_opened(path)) as document:
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

    with reading_of(f"page {index + 1} of the PDF", pdfium.PdfiumError), closing(document[index]) as page:
        text = laid_out if laid_out is not None else page_text(page, columns=reading.pdf_text == "columns")
        visible = len("".join(text.split()))
        scanned = visible < _FEW_CHARACTERS and next(iter(page.get_objects(max_depth=2)), None) is not None
        by_ocr = False
        if reading.ocr == "always" or (reading.ocr in ("auto", "pictures") and scanned):
            recognized = recognize(_render(page, reading), reading).text
            text = recognized if recognized.strip() else text
            by_ocr = True
        elif reading.ocr == "pictures":
            in_pictures = [recognize(picture, reading).text.strip("\n") for picture in _pictures(page, reading)]
            text = "\n\n".join([text, *(picture for picture in in_pictures if picture.strip())])
            by_ocr = bool(in_pictures)
        result.pages.append(Page(text, by_ocr=by_ocr))


def page_text(page: pdfium.PdfPage, *, columns: bool) -> str:
    """The text in the page: on a grid that keeps columns side by side, or in the order of the file."""
    with closing(page.get_textpage()) as textpage:
        plain = textpage.get_text_bounded() if not columns else ""
        if columns:
            words = _words(page, textpage)
            # Characters beyond the first plane are returned as two surrogates.
            text = arrange(words).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            # Right-to-left scripts are stored in reading order; a grid sorted from the left would turn them round.
            if page.get_rotation() or is_right_to_left(text):
                plain = textpage.get_text_range()
            else:
                return text
    return plain.replace("\r\n", "\n").replace("\r", "\n").translate(_NOISE)


def _words(page: pdfium.PdfPage, textpage: pdfium.PdfTextPage) -> list[Word]:
    import pypdfium2.raw as raw

    page_height = page.get_height()
    words: list[Word] = []
    current: Word | None = None
    start = end = -1.0
    loose = raw.FS_RECTF()
    for index in range(textpage.count_chars()):
        code = raw.FPDFText_GetUnicode(textpage, index)
        if code in _BLANK:
            current = None
            continue
        character = _NOISE.get(code, chr(code))
        if not character or not raw.FPDFText_GetLooseCharBox(textpage, index, loose):
            continue
        before = (start, end)
        start, end = loose.left, loose.right
        upper, lower = page_height - loose.top, page_height - loose.bottom
        if upper > lower:
            upper, lower = lower, upper
        size = lower - upper
        if (
            current is not None
            and abs(current.middle - (upper + lower) / 2) < 0.3 * max(size, 1)
            # The letters of a ligature share one box.
            and (-0.5 * size < start - current.right < 0.18 * size or before == (start, end))
        ):
            current.text += character
            current.right = max(current.right, end)
        else:
            current = Word(character, start, upper, end, lower)
            words.append(current)
    return words


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
