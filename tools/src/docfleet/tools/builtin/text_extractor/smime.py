"""The content of S/MIME messages that are signed and wrapped in their signature."""

from __future__ import annotations

import re
import zlib

# Where a wrapper is damaged, the message in it may still be seen by its first header.
_FIRST_HEADER = re.compile(rb"(?:Content-[A-Za-z-]{1,40}|MIME-Version): ", re.IGNORECASE)

_MAX_UNPACKED_BYTES = 64 * 1024 * 1024


def signed_content(raw: bytes) -> bytes | None:
    """The message that is wrapped in a signature or compressed; None when it is encrypted, or nothing of both."""
    from asn1crypto import cms

    try:
        info = cms.ContentInfo.load(raw)
        kind = info["content_type"].native
        if kind == "signed_data":
            content: bytes | None = info["content"]["encap_content_info"]["content"].native
            return content
        if kind == "compressed_data":
            packed: bytes = info["content"]["encap_content_info"]["content"].native
            return zlib.decompressobj().decompress(packed, _MAX_UNPACKED_BYTES)
        if kind in ("enveloped_data", "encrypted_data", "authenticated_data", "auth_enveloped_data"):
            return None
    except (ValueError, TypeError, KeyError, zlib.error):
        pass
    found = _FIRST_HEADER.search(raw)
    return raw[found.start() :] if found else None
