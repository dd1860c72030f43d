"""The names of files that are being written, on file systems that rename.

A file being written is called ``.docfleet-<16 hex digits>[-<attempt>].part``; listings leave such files out.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator

from docfleet.connectors.base import WriteFence

TEMPORARY_PREFIX = ".docfleet-"
TEMPORARY_SUFFIX = ".part"
ABANDONED_SECONDS = 3600.0
"""The next delivery into the same folder removes files of a killed writer that are older than this."""


def is_temporary(name: str) -> bool:
    """Whether a file of this name is one being written."""
    return name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX)


def temporary_name(name: str, fence: WriteFence | None) -> str:
    """The name of the file ``name`` until it is complete. Without a fence it is a new one each time."""
    if fence is None:
        return f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
    return _of_attempt(name, fence, fence.attempt)


def temporaries_until(name: str, fence: WriteFence) -> Iterator[str]:
    """The temporary names of this attempt and of all before it: no folder has to be listed for them."""
    return (_of_attempt(name, fence, attempt) for attempt in range(1, fence.attempt + 1))


def _of_attempt(name: str, fence: WriteFence, attempt: int) -> str:
    key = f"{fence.file_execution_id}\0{name}".encode("utf-8", "surrogateescape")
    return f"{TEMPORARY_PREFIX}{hashlib.sha256(key).hexdigest()[:16]}-{attempt}{TEMPORARY_SUFFIX}"
