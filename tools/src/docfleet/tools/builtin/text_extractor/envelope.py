"""Documents wrapped in a signature, such as ``invoice.xml.p7m``: read as what they hold; no signature is verified."""

from __future__ import annotations

import tempfile
from pathlib import Path

from docfleet.core.errors import CorruptFile, PasswordRequired
from docfleet.tools.builtin.text_extractor.document import SEND_AGAIN, Document, ReadOptions, reading_of
from docfleet.tools.sdk import media
from docfleet.tools.sdk.smime import NoContent, Sealed, document_in, is_message


def read_envelope(path: Path, options: ReadOptions) -> Document:
    """The text of the document in the envelope. Raises ``PasswordRequired``, ``CorruptFile``, and as its reader."""
    from docfleet.tools.builtin.text_extractor.tool import reader_of

    with reading_of("the signed envelope"):
        try:
            content = document_in(path.read_bytes())
        except Sealed as error:
            raise PasswordRequired(
                "the envelope is encrypted: its content cannot be read without the recipient's key; send it decrypted"
            ) from error
        except NoContent as error:
            raise CorruptFile(f"the signed envelope holds no document: {error}; {SEND_AGAIN}") from error
    with tempfile.NamedTemporaryFile(prefix=".content-", dir=path.parent) as file:
        file.write(content)
        file.flush()
        inner = Path(file.name)
        mime = media.EML if is_message(content) else media.detect(inner)
        document = reader_of(mime)(inner, options)
    document.metadata["envelope"] = "signed, not verified"
    return document
