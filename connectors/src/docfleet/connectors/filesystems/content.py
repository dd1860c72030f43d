"""Reading the file that is delivered."""

from __future__ import annotations

from typing import BinaryIO

from docfleet.core.errors import FileError

CHUNK_BYTES = 1 << 20


def read_chunk(source: BinaryIO, size: int = CHUNK_BYTES) -> bytes:
    """At most ``size`` bytes; none at the end. Raises ``FileError``: the destination is not the trouble."""
    try:
        return source.read(size)
    except OSError as error:
        raise FileError(f"the file to deliver cannot be read: {error.strerror}") from error
