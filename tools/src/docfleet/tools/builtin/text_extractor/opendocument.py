"""OpenDocument: texts, spreadsheets and slides."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError
from xml.sax import SAXException

from docfleet.core.errors import PasswordRequired
from docfleet.tools.builtin.text_extractor.document import Document, Reading, check_archive, reading_of

_OPENDOCUMENT = "the OpenDocument file"


def read_opendocument(path: Path, reading: Reading) -> Document:
    """Paragraphs, headings and table rows in order, of a text, a spreadsheet or slides."""
    check_archive(path, _OPENDOCUMENT, reading)
    from odf.element import Element
    from odf.opendocument import load

    with reading_of(_OPENDOCUMENT, SAXException, ExpatError):
        with zipfile.ZipFile(path) as archive:
            if b"encryption-data" in archive.read("META-INF/manifest.xml"):
                raise PasswordRequired(
                    "password required: the document is encrypted; remove the password and send it again"
                )
        body: Element = load(str(path)).body
        return Document.of_texts(["\n".join(_opendocument_lines(body))])


def _opendocument_lines(node: Any) -> Iterator[str]:
    from odf import teletype
    from odf.namespaces import TABLENS, TEXTNS

    for child in node.childNodes:
        name = getattr(child, "qname", None)
        if name in ((TEXTNS, "p"), (TEXTNS, "h")):
            yield teletype.extractText(child)
        elif name == (TABLENS, "table-row"):
            cells = (" ".join(_opendocument_lines(cell)).strip() for cell in child.childNodes)
            row = "\t".join(cells).rstrip("\t")
            if row:
                yield row
        elif getattr(child, "childNodes", None):
            yield from _opendocument_lines(child)
