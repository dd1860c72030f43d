"""Where the XML of an electronic invoice stands: it is the document, or a file in a PDF, a mail or an envelope."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docfleet.tools.builtin.field_extractor.einvoice import attached
from docfleet.tools.builtin.field_extractor.einvoice.xml import MAX_BYTES
from docfleet.tools.sdk import media

if TYPE_CHECKING:
    import pypdfium2 as pdfium

_MAX_FILES = 100
# A document that is XML starts so, after a byte order mark and blanks, in one or in two bytes a character.
_HEAD_BYTES = 256
_MARKS = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"


@dataclass(frozen=True, slots=True)
class XmlFile:
    """One file that may be an electronic invoice."""

    name: str
    content: bytes


def sources(path: Path, name: str, *, is_pdf: bool) -> Iterator[XmlFile]:
    """The document if it is XML, or the files inside of a PDF, a mail or a signed envelope. What cannot be read is
    left out."""
    if is_pdf:
        yield from _embedded(path)
        return
    kind = media.detect(path, name)
    if kind in attached.KINDS:
        for file_name, content in attached.files(path, name, kind):
            yield from _of_file(file_name, content, path.parent)
        return
    with path.open("rb") as stream:
        if is_markup(stream.read(_HEAD_BYTES)):
            stream.seek(0)
            # One byte more than allowed: the parser then says that it is too long.
            yield XmlFile(name, stream.read(MAX_BYTES + 1))


def _of_file(name: str, content: bytes, folder: Path) -> Iterator[XmlFile]:
    if is_markup(content):
        yield XmlFile(name, content)
    elif b"%PDF-" in content[:1024]:
        with tempfile.NamedTemporaryFile(prefix=".attached-", dir=folder) as file:
            file.write(content)
            file.flush()
            yield from _embedded(Path(file.name))


def is_markup(head: bytes) -> bool:
    """Whether a file that begins so may be XML."""
    return head[:_HEAD_BYTES].lstrip(_MARKS).startswith(b"<")


def _embedded(path: Path) -> Iterator[XmlFile]:
    """The embedded files, whatever their name and relationship."""
    import pypdfium2 as pdfium

    names = set()
    try:
        with closing(pdfium.PdfDocument(path)) as document:
            for index in range(min(document.count_attachments(), _MAX_FILES)):
                source = _attachment(document, index)
                if source is not None:
                    names.add(source.name)
                    yield source
    except pdfium.PdfiumError:
        return  # it has no text either, and the text extractor has said so
    if not names and _mentions(path, b"/EF"):
        yield from _associated(path)


def _attachment(document: pdfium.PdfDocument, index: int) -> XmlFile | None:
    import ctypes

    import pypdfium2 as pdfium
    import pypdfium2.raw as raw

    try:
        attachment = document.get_attachment(index)
        size = ctypes.c_ulong()
        if not raw.FPDFAttachment_GetFile(attachment, None, 0, size) or not 0 < size.value <= MAX_BYTES:
            return None
        return XmlFile(attachment.get_name(), bytes(attachment.get_data()))
    except pdfium.PdfiumError:
        return None


def _mentions(path: Path, word: bytes) -> bool:
    with path.open("rb") as stream, closing(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)) as content:
        return content.find(word) >= 0


def _associated(path: Path) -> Iterator[XmlFile]:
    """Files that only the catalog's list of associated files or a note on a page names: PDFium lists neither."""
    from pdfminer.pdfdocument import PDFDocument
    from pdfminer.pdfpage import PDFPage
    from pdfminer.pdfparser import PDFParser
    from pdfminer.pdftypes import PDFException, dict_value, list_value, resolve1
    from pdfminer.psparser import PSException

    try:
        with path.open("rb") as stream:
            document = PDFDocument(PDFParser(stream))
            specifications = list(list_value(document.catalog.get("AF") or []))
            for page in PDFPage.create_pages(document):
                notes = [dict_value(note) for note in list_value(page.annots or [])]
                specifications += [note["FS"] for note in notes if "FS" in note]
            for specification in specifications[:_MAX_FILES]:
                source = _file(resolve1(specification))
                if source is not None:
                    yield source
    except (PDFException, PSException, KeyError, TypeError, ValueError, RecursionError):
        return


def _file(specification: Any) -> XmlFile | None:
    from pdfminer.pdftypes import PDFStream, resolve1
    from pdfminer.utils import decode_text

    if not isinstance(specification, dict):
        return None
    files = resolve1(specification.get("EF"))
    stream = resolve1(files.get("UF") or files.get("F")) if isinstance(files, dict) else None
    if not isinstance(stream, PDFStream):
        return None
    name = resolve1(specification.get("UF") or specification.get("F") or b"")
    content = stream.get_data()
    return XmlFile(decode_text(name) if isinstance(name, bytes) else str(name), content) if content else None
