"""The content of one object as a file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from docfleet.connectors.filesystems.objects.failures import library_errors, reading_failure


class ObjectContent(io.RawIOBase):
    """Reads the stream of one answer; the library goes on by itself where a connection broke.

    Raises what ``reading_failure`` gives, also for an answer that is shorter than it said.
    """

    def __init__(self, chunks: Iterator[Any], size: int, shown: str) -> None:
        super().__init__()
        self._chunks = chunks
        self._size = size
        self._shown = shown
        self._rest = memoryview(b"")
        self._read = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See ``io.RawIOBase``."""
        while not self._rest:
            try:
                chunk = next(self._chunks, None)
            except library_errors() as error:
                raise reading_failure(self._shown, error) from None
            if chunk is None:
                if self._read != self._size:
                    raise reading_failure(self._shown, EOFError("HTTP error: the answer is too short"))
                return 0
            self._rest = memoryview(bytes(chunk))
            self._read += len(self._rest)
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)
