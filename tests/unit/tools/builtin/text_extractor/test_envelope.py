"""Documents in a signed envelope."""

from __future__ import annotations

import base64

import pytest

from tests.unit.tools.builtin.text_extractor.documents import Extract
from tests.unit.tools.sdk.envelopes import signed, streamed

XML = b"<?xml version='1.0'?><a>words of the document</a>"


@pytest.mark.parametrize(
    "content",
    [
        signed(XML),
        streamed(XML, 20),
        signed(signed(XML)),
        base64.encodebytes(signed(XML)),
        base64.b64encode(signed(XML)),
        b"-----BEGIN PKCS7-----\n" + base64.encodebytes(signed(XML)) + b"-----END PKCS7-----\n",
    ],
)
@pytest.mark.parametrize("name", ["invoice.xml.p7m", "invoice"])
def test_a_signed_document_is_read_whatever_its_form(extract: Extract, content: bytes, name: str) -> None:
    assert "words of the document" in extract(content, name)


@pytest.mark.parametrize("content", [signed(None), signed(XML)[:-30]])
def test_an_envelope_without_a_document_is_called_so(extract: Extract, content: bytes) -> None:
    error = extract(content, "invoice.xml.p7m", fails=True)
    assert error.error_code == "corrupt_file" and "envelope" in error.log


def test_an_encrypted_envelope_is_called_so(extract: Extract) -> None:
    sealed = signed(XML).replace(b"\x01\x07\x02", b"\x01\x07\x03", 1)
    assert extract(sealed, "invoice.xml.p7m", fails=True).error_code == "password_required"


def test_text_that_begins_as_base64_is_text(extract: Extract) -> None:
    assert "MIIB" in extract(b"MIIB is how many certificates begin", "a.txt")
