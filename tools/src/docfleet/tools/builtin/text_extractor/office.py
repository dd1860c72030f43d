"""Word processing, spreadsheets and slides of Office Open XML."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from docfleet.core.errors import FileTooLarge
from docfleet.tools.builtin.text_extractor.document import Document, Reading, check_archive, reading_of

_WORD = "the Word document"
_WORKBOOK = "the workbook"
_SLIDES = "the presentation"


def read_docx(path: Path, reading: Reading) -> Document:
    """Paragraphs and tables in order, then headers and footers. Raises ``CorruptFile``, ``FileTooLarge``."""
    check_archive(path, _WORD, reading)
    import docx
    from docx.opc.exceptions import OpcError

    with reading_of(_WORD, OpcError):
        document = docx.Document(str(path))
        lines = list(_docx_blocks(document.iter_inner_content()))
        frame: list[str] = []
        for section in document.sections:
            for part in (section.header, section.footer):
                if not part.is_linked_to_previous:
                    frame.extend(line for line in _docx_blocks(part.iter_inner_content()) if line.strip())
        properties = {"title": document.core_properties.title, "author": document.core_properties.author}
    return Document.of_texts(["\n".join([*frame, *lines])], {key: value for key, value in properties.items() if value})


def _docx_blocks(blocks: Iterable[Any]) -> Iterator[str]:
    for block in blocks:
        if hasattr(block, "rows"):
            for row in block.rows:
                cells: list[str] = []
                last = None
                for cell in row.cells:
                    if cell._tc is not last:  # a merged cell appears once for each column it spans
                        cells.append(" ".join(_docx_blocks(cell.iter_inner_content())).strip())
                    last = cell._tc
                yield "\t".join(cells)
        else:
            yield block.text


def read_xlsx(path: Path, reading: Reading) -> Document:
    """One page per sheet, cells separated by tabs. The text of an empty workbook says that it is empty."""
    check_archive(path, _WORKBOOK, reading)
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    pages: list[str] = []
    with reading_of(_WORKBOOK, InvalidFileException), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns about styles and extensions it does not keep
        # A stream, not the path: openpyxl judges a path by its suffix, and INFILE has none.
        with path.open("rb") as stream:
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            for sheet in book.worksheets:
                sheet.reset_dimensions()
                rows = [
                    "\t".join(_cell(value) for value in row).rstrip("\t") for row in sheet.iter_rows(values_only=True)
                ]
                while rows and not rows[-1]:
                    rows.pop()
                pages.append(
                    "\n".join([f"Sheet: {sheet.title}", *(rows or ["[this sheet has no cells with content]"])])
                )
                reading.progress(len(pages), len(book.sheetnames))
            names = book.sheetnames
            book.close()
    return Document.of_texts(pages, {"sheets": names})


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value).replace("\n", " ").replace("\t", " ")


def read_pptx(path: Path, reading: Reading) -> Document:
    """One page per slide: shapes from top to bottom, tables, then the speaker's notes."""
    check_archive(path, _SLIDES, reading)
    import pptx
    from pptx.exc import PythonPptxError

    with reading_of(_SLIDES, PythonPptxError):
        slides = list(pptx.Presentation(str(path)).slides)
        if len(slides) > reading.max_pages:
            raise FileTooLarge(f"there are {len(slides)} slides, the limit is {reading.max_pages} (max_pages)")
        pages = []
        for slide in slides:
            lines = [line for line in _shapes(slide.shapes) if line.strip()]
            if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
                notes = slide.notes_slide.notes_text_frame.text.strip()
                lines += [f"Notes: {notes}"] if notes else []
            pages.append("\n".join(lines))
            reading.progress(len(pages), len(slides))
    return Document.of_texts(pages, {"slides": len(pages)})


def _shapes(shapes: Iterable[Any]) -> Iterator[str]:
    for shape in sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0)):
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        elif getattr(shape, "has_table", False):
            for row in shape.table.rows:
                yield "\t".join(cell.text.replace("\n", " ") for cell in row.cells)
        elif getattr(shape, "has_chart", False) and shape.chart.has_title:
            yield shape.chart.chart_title.text_frame.text
        elif getattr(shape, "has_text_frame", False):
            yield shape.text_frame.text.replace("\v", "\n")
