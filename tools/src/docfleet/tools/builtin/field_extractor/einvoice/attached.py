"""The files in a mail, an Outlook message or a signed envelope."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docfleet.tools.builtin.field_extractor.einvoice.xml import MAX_BYTES
from docfleet.tools.sdk import media
from docfleet.tools.sdk.smime import NoContent, Sealed, document_in, is_message

KINDS = (media.EML, media.MSG, media.SMIME)
_MAX_FILES = 100
_BODIES = ("text/plain", "text/html")
# Content of an attachment in an Outlook message, and its names: long, short, displayed.
_DATA = "__substg1.0_37010102"
_NAMES = ("__substg1.0_3707001F", "__substg1.0_3704001F", "__substg1.0_3001001F")


def files(path: Path, name: str, kind: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file; those in a signed file are unwrapped. What cannot be read is left out."""
    found = _of_outlook(path) if kind == media.MSG else _within(name, path.read_bytes(), kind)
    for index, (file_name, content) in enumerate(found):
        if index >= _MAX_FILES:
            return
        if media.is_envelope(content[:256]):
            yield from _within(file_name, content, media.SMIME)
        else:
            yield file_name, content


def _within(name: str, raw: bytes, kind: str) -> Iterator[tuple[str, bytes]]:
    if kind == media.SMIME:
        try:
            content = document_in(raw)
        except (Sealed, NoContent):
            return
        if is_message(content):
            yield from _within(name, content, media.EML)
        elif len(content) <= MAX_BYTES:
            yield name.removesuffix(".p7m"), content
        return
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    for part in message.walk():
        file_name = part.get_filename()
        if part.is_multipart() or (part.get_content_type() in _BODIES and not file_name):
            continue
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes) and 0 < len(payload) <= MAX_BYTES:
            yield str(file_name or part.get_content_type()), payload


def _of_outlook(path: Path) -> Iterator[tuple[str, bytes]]:
    import olefile

    try:
        with olefile.OleFileIO(path) as storage:
            for stream in storage.listdir(streams=True, storages=False):
                if stream[-1].upper() != _DATA.upper() or storage.get_size(stream) > MAX_BYTES:
                    continue
                yield _name(storage, stream[:-1]), storage.openstream(stream).read()
    except (OSError, ValueError, IndexError):
        return


def _name(storage: Any, folder: list[str]) -> str:
    for name in _NAMES:
        if storage.exists([*folder, name]):
            text: str = storage.openstream([*folder, name]).read().decode("utf-16-le", "replace").strip("\0 ")
            if text:
                return text
    return "attachment"
