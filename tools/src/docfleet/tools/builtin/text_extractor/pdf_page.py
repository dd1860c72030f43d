"""One page of a PDF: its typed text, and what OCR adds to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from docfleet.tools.builtin.text_extractor.document import LanguageMissing, ReadOptions
from docfleet.tools.builtin.text_extractor.layout import arrange, is_right_to_left
from docfleet.tools.builtin.text_extractor.pdf_annotations import Annotations, flatten, read_annotations
from docfleet.tools.builtin.text_extractor.pdf_ocr import is_plausible, joined, needs_ocr, pictures, rendered
from docfleet.tools.builtin.text_extractor.pdf_text import Direction, directions, of_mute_fonts, tidy, written
from docfleet.tools.builtin.text_extractor.recognized import Recognized
from docfleet.tools.sdk.words import Page, Word

if TYPE_CHECKING:
    import pypdfium2 as pdfium


def read_page(document: pdfium.PdfDocument, index: int, reading: ReadOptions, laid_out: str | None = None) -> Page:
    """The text and the words of a page. ``laid_out`` is its typed text, where another reader has arranged it."""
    from docfleet.tools.builtin.text_extractor.ocr import recognize

    with _opened(document, index) as (page, annotations):
        width, height = page.get_size()
        with closing(page.get_textpage()) as textpage:
            runs = directions(page, textpage)
            doubtful = [word for run in runs for word in run.doubtful]
            scanned = needs_ocr(page, [word for run in runs for word in run.words], doubtful)
            values = _values(runs, page, annotations)
            if reading.ocr == "always" or (reading.ocr in ("auto", "pictures") and scanned):
                picture = rendered(page, reading)
                try:
                    recognized = recognize(picture, reading)
                except LanguageMissing:
                    if not _trusted(runs, textpage):
                        raise
                    recognized = Recognized("")  # what is typed is the better part of such a page
                if recognized.text.strip():
                    seen = recognized.scaled(width / picture.width, height / picture.height)
                    kept = [] if reading.ocr == "always" else _trusted(runs, textpage)
                    kept += values.placed()
                    words = joined(kept, seen)
                    text = arrange(words) if kept else recognized.text
                    return Page(_and_notes(text, annotations), words, width, height, by_ocr=True)
            if values.words and runs:
                runs[0].words += values.words
            elif values.words:
                runs.append(values)
            text = laid_out if laid_out is not None else _typed(runs, textpage, reading)
        words = [word for run in runs for word in run.placed()]
        by_ocr = False
        if reading.ocr == "pictures" and not scanned:
            in_pictures = []
            for picture in pictures(page, reading):
                with suppress(LanguageMissing):  # a letterhead in another script does not cost the page
                    in_pictures.append(recognize(picture, reading).text.strip("\n"))
            text = "\n\n".join([text, *(found for found in in_pictures if found.strip())])
            by_ocr = bool(in_pictures)
        return Page(_and_notes(text, annotations), words, width, height, by_ocr)


@contextmanager
def _opened(document: pdfium.PdfDocument, index: int) -> Iterator[tuple[pdfium.PdfPage, Annotations]]:
    """A page, and what is typed onto it; stamps are part of its content."""
    with closing(document[index]) as page:
        annotations = read_annotations(document, page)
        if not annotations.drawn:
            yield page, annotations
            return
        flatten(page)
    with closing(document[index]) as page:
        yield page, annotations


def _values(runs: list[Direction], page: pdfium.PdfPage, annotations: Annotations) -> Direction:
    """What is typed onto the page, in its main direction."""
    degrees = runs[0].degrees if runs else 0
    return Direction(degrees, [word for text, box in annotations.values for word in written(text, page, box, degrees)])


def _trusted(runs: list[Direction], textpage: pdfium.PdfTextPage) -> list[Word]:
    """The typed words that are text: not those of fonts without characters, nor the trash behind a scan."""
    doubtful = {id(word) for run in runs for word in run.doubtful}
    if doubtful:
        doubtful |= of_mute_fonts(textpage, runs)
    kept: list[Word] = []
    for run in runs:
        kept += Direction(run.degrees, [word for word in run.words if id(word) not in doubtful]).placed()
    return kept if is_plausible(kept) else []


def _typed(runs: list[Direction], textpage: pdfium.PdfTextPage, reading: ReadOptions) -> str:
    """The typed text: on a grid that keeps columns side by side, or in the order of the file."""
    columns = reading.pdf_text == "columns"
    text = "\n\n".join(arrange(run.words) for run in runs) if columns else ""
    # Right-to-left scripts are stored in reading order; a grid sorted from the left would turn them round.
    if not columns or is_right_to_left(text):
        text = tidy(textpage.get_text_range() if columns else textpage.get_text_bounded())
    return text


def _and_notes(text: str, annotations: Annotations) -> str:
    """``text`` with the values that have no place in it, and the remarks."""
    seen = " ".join(text.split())
    values = [value for value, _ in annotations.values if " ".join(value.split()) not in seen]
    return "\n\n".join([text, *values, *(f"Note: {remark}" for remark in annotations.remarks if remark not in text)])
