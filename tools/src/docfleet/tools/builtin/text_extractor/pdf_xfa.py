"""The values of XFA forms: their pages are drawn by the viewer, so that only the data is in the file."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pypdfium2 as pdfium

# Data beyond this is no form that somebody filled in.
_MAX_BYTES = 20 * 1024 * 1024


def is_xfa(document: pdfium.PdfDocument) -> bool:
    """Whether the form of the document is an XFA form, alone or beside the usual fields."""
    import pypdfium2.raw as raw

    return document.get_formtype() in (raw.FORMTYPE_XFA_FULL, raw.FORMTYPE_XFA_FOREGROUND)


def xfa_values(document: pdfium.PdfDocument) -> list[tuple[str, str]]:
    """Name and value of each field that is filled in. Data that cannot be read has no values."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=False)
    values: list[tuple[str, str]] = []
    for packet in _packets(document):
        try:
            root = etree.fromstring(packet, parser)
        except etree.XMLSyntaxError:
            continue
        if root is None:
            continue
        for data in root.iter("{http://www.xfa.org/schema/xfa-data/1.0/}data"):
            for element in data.iter(etree.Element):
                text = " ".join((element.text or "").split())
                if text and len(element) == 0:
                    values.append((etree.QName(element).localname, text))
    return values


def _packets(document: pdfium.PdfDocument) -> list[bytes]:
    """The packets with data; a form in one piece has a single packet without a name."""
    import pypdfium2.raw as raw

    found: list[bytes] = []
    for index in range(max(raw.FPDF_GetXFAPacketCount(document), 0)):
        size = raw.FPDF_GetXFAPacketName(document, index, None, 0)
        name = ctypes.create_string_buffer(max(size, 1))
        raw.FPDF_GetXFAPacketName(document, index, name, size)
        if name.value not in (b"", b"datasets"):
            continue
        length = ctypes.c_ulong()
        if not raw.FPDF_GetXFAPacketContent(document, index, None, 0, length) or not 0 < length.value <= _MAX_BYTES:
            continue
        content = ctypes.create_string_buffer(length.value)
        raw.FPDF_GetXFAPacketContent(document, index, content, length.value, length)
        found.append(content.raw)
    return found
