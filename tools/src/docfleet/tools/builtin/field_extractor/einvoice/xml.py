"""Parses the XML of strangers: no entities, no network, bounded sizes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element

MAX_BYTES = 64 * 1024 * 1024
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_BARE_AMPERSAND = re.compile(r"&(?!(?:#\d{1,7}|#x[0-9A-Fa-f]{1,6}|[A-Za-z]\w{0,31});)")
# What no XML document may contain.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# Attached files in base64; the longest are beyond what the parser takes for one text, and nobody reads them here.
_ATTACHED = re.compile(
    rb"(<(?:[\w.-]{1,64}:)?(?:EmbeddedDocumentBinaryObject|AttachmentBinaryObject|Attachment)\b[^<>]{0,2000}>)"
    rb"[A-Za-z0-9+/=\s]{64,}(?=</)"
)


class XmlBroken(Exception):
    """The document is no XML that may be read. The message says why, in the user's words."""


def parse(raw: bytes) -> _Element:
    """The root of the document. Raises ``XmlBroken``.

    What producers often get wrong without a doubt of what they meant is mended: a wrong declaration of the encoding,
    control characters, an ampersand that stands for itself. Anything else would be a guess.
    """
    if len(raw) > MAX_BYTES:
        raise XmlBroken(f"the XML has {len(raw)} bytes, more than the {MAX_BYTES} that are read")
    raw = _ATTACHED.sub(rb"\1", raw)
    root = _parsed(raw)
    return _parsed(_mended(raw)) if root is None else root


def _parsed(document: bytes | str) -> _Element | None:
    """The root; None when bytes cannot be parsed. Raises ``XmlBroken`` for text, and for a document type."""
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    _refuse_document_type(document)
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        if isinstance(document, bytes):
            return None
        raise XmlBroken(f"the XML is not well-formed ({' '.join(str(error).split())[:200]})") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise XmlBroken(_NO_DOCUMENT_TYPE)
    return root


_NO_DOCUMENT_TYPE = "the XML has a document type declaration, which electronic invoices may not have"


def _refuse_document_type(document: bytes | str) -> None:
    """Before the parser sees it: its entities are what attacks are made of. UTF-16 is caught after parsing."""
    found = b"<!DOCTYPE" in document if isinstance(document, bytes) else "<!DOCTYPE" in document
    if found:
        raise XmlBroken(_NO_DOCUMENT_TYPE)


def _mended(raw: bytes) -> str:
    from docfleet.tools.sdk.text import decode_text

    text = _DECLARATION.sub("", decode_text(raw).lstrip("\ufeff"), count=1)
    return _BARE_AMPERSAND.sub("&amp;", _CONTROLS.sub("", text)).strip()


def plain(root: _Element) -> _Element:
    """``root`` with local names only: producers get namespaces of the parts wrong, and no name is in two of them."""
    from lxml import etree

    for element in root.iter("*"):
        element.tag = etree.QName(element).localname
    return root


def text(node: _Element | None, *paths: str) -> str | None:
    """The text of the first element with any at one of ``paths``, tried in order; white space is folded."""
    if node is None:
        return None
    for path in paths:
        for element in node.iterfind(path):
            found = " ".join("".join(element.itertext()).split())
            if found:
                return found
    return None
