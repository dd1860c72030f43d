"""XML of strangers."""

from __future__ import annotations

import pytest

from docfleet.tools.builtin.field_extractor.einvoice import xml
from docfleet.tools.builtin.field_extractor.einvoice.xml import XmlBroken, parse, plain, text

_ENTITY = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "HW-17">]><a><ID>X&b;</ID></a>'


@pytest.mark.parametrize("document", [_ENTITY.encode(), _ENTITY.encode("utf-16"), b"<!DOCTYPE a><a/>"])
def test_a_document_type_is_refused(document: bytes) -> None:
    with pytest.raises(XmlBroken, match="document type"):
        parse(document)


def test_a_text_is_never_cut_at_an_entity() -> None:
    with pytest.raises(XmlBroken):
        parse(b"<a><ID>HW&unknown;17</ID></a>")


@pytest.mark.parametrize(
    "document",
    [
        b'<?xml version="1.0" encoding="UTF-8-W/O-BOM"?><a><ID>M\xc3\xbchle</ID></a>',
        b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?><a><ID>M\xc3\xbchle</ID></a>',
        b'<?xml version="1.0" encoding="UTF-8"?><a><ID>M\xfchle</ID></a>',
        b'\n <?xml version="1.0" encoding="UTF-8"?><a><ID>M\xc3\xbchle</ID></a>\0',
        '<?xml version="1.0" encoding="UTF-8"?><a><ID>M\u00fchle</ID></a>'.encode("utf-16"),
        b"<a><ID><!-- the number -->M\xc3\xbchle</ID></a>",
    ],
)
def test_what_was_meant_without_a_doubt_is_mended(document: bytes) -> None:
    assert text(plain(parse(document)), "ID") == "M\u00fchle"


def test_an_ampersand_may_stand_for_itself() -> None:
    assert text(parse(b"<a><ID>B & Q &amp; &#38;</ID></a>"), "ID") == "B & Q & &"


@pytest.mark.parametrize("document", [b"", b"<a><ID>1</ID>", b"<a><ID>1</a>", b"text", b"<a/><b/>"])
def test_anything_else_is_broken(document: bytes) -> None:
    with pytest.raises(XmlBroken, match="not well-formed"):
        parse(document)


def test_an_attached_file_of_any_size_is_no_obstacle() -> None:
    attached = b"<cbc:EmbeddedDocumentBinaryObject mimeCode='application/pdf'>" + b"QUJD" * 4_000_000
    document = b"<a xmlns:cbc='urn:x'>" + attached + b"</cbc:EmbeddedDocumentBinaryObject><ID>1</ID></a>"
    assert text(parse(document), "ID") == "1"


def test_the_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml, "MAX_BYTES", 10)
    with pytest.raises(XmlBroken, match="more than"):
        parse(b"<a><ID>1</ID></a>")
