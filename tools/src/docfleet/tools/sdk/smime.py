"""The content of CMS envelopes: signed messages, and documents such as the ``.p7m`` of FatturaPA.

No signature is verified.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib

# Where a wrapper is damaged, the message in it may still be seen by its first header.
_FIRST_HEADER = re.compile(rb"(?:Content-[A-Za-z-]{1,40}|MIME-Version): ", re.IGNORECASE)
_HEADER = re.compile(rb"(?:Content-[\w-]+|MIME-[\w-]+):", re.IGNORECASE)
_ARMOR = re.compile(rb"-----(?:BEGIN|END) [A-Z0-9 ]{1,40}-----")
_MAX_UNPACKED_BYTES = 64 * 1024 * 1024
_DEEPEST = 5


class Sealed(Exception):
    """The envelope is encrypted: nothing in it can be read without a key."""


class NoContent(Exception):
    """The envelope holds nothing that can be read: a signature alone, certificates, or it is damaged."""


def is_message(content: bytes) -> bool:
    """Whether what an envelope holds is a message or a part of one, not a document."""
    return _HEADER.match(content) is not None


def signed_content(raw: bytes) -> bytes | None:
    """The message that is wrapped in a signature or compressed; None when it is encrypted, or nothing of both."""
    try:
        return _inside(raw)
    except Sealed:
        return None
    except NoContent:
        found = _FIRST_HEADER.search(raw)
        return raw[found.start() :] if found else None


def document_in(raw: bytes) -> bytes:
    """The document in one or several envelopes, each in DER, BER, PEM or base64. Raises ``Sealed``, ``NoContent``."""
    from docfleet.tools.sdk.media import is_envelope

    for _ in range(_DEEPEST):
        raw = _inside(_binary(raw))
        if not is_envelope(raw):
            return raw
    raise NoContent(f"it holds more than {_DEEPEST} envelopes, one in the other")


def _inside(raw: bytes) -> bytes:
    from asn1crypto import cms

    try:
        info = cms.ContentInfo.load(raw)
        kind = info["content_type"].native
        if kind in ("enveloped_data", "encrypted_data", "authenticated_data", "auth_enveloped_data"):
            raise Sealed
        content = None
        if kind in ("signed_data", "compressed_data"):
            content = info["content"]["encap_content_info"]["content"].native
        if kind == "compressed_data" and content is not None:
            content = zlib.decompressobj().decompress(content, _MAX_UNPACKED_BYTES)
    except (ValueError, TypeError, KeyError, zlib.error) as error:
        raise NoContent("it is damaged or cut off") from error
    if not isinstance(content, bytes):
        raise NoContent("it holds a signature or certificates alone")
    return content


def _binary(raw: bytes) -> bytes:
    if raw[:1] == b"0":
        return raw
    try:
        return base64.b64decode(b"".join(_ARMOR.sub(b"", raw).split()), validate=True)
    except binascii.Error as error:
        raise NoContent("it is damaged or cut off") from error
