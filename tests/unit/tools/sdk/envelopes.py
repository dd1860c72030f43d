"""Signed envelopes without a signer, which is all that a reader needs."""

from __future__ import annotations

from asn1crypto import cms


def signed(content: bytes | None) -> bytes:
    """``content`` in a CMS envelope in DER; none at all for a detached signature."""
    inner = {"content_type": "data"} | ({"content": content} if content is not None else {})
    data = {"version": "v1", "digest_algorithms": [], "encap_content_info": inner, "signer_infos": []}
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": data}).dump())


def streamed(content: bytes, step: int = 1000) -> bytes:
    """As programs write it that do not know the length before: BER, in pieces, all lengths indefinite."""
    pieces = b"".join(
        b"\x04\x82" + len(part).to_bytes(2, "big") + part
        for part in (content[at : at + step] for at in range(0, len(content), step))
    )
    inner = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01" + b"\xa0\x80\x24\x80" + pieces + b"\0\0\0\0"
    data = b"\x02\x01\x01\x31\x00" + b"\x30\x80" + inner + b"\0\0" + b"\x31\x00"
    return b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80" + data + b"\0" * 6
