"""What all users of ``obstore``, the library of object stores, share: limits, errors, a guard against forks, content.

The library is an extra of those who use it; nothing here imports it before it is used.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from docfleet.core.errors import ForkUnsafe

CLIENT_OPTIONS: Any = {
    "connect_timeout": timedelta(seconds=10),
    "read_timeout": timedelta(seconds=60),
    "timeout": timedelta(hours=1),  # of an answer as a whole: a large object on a slow line
}
RETRIES: Any = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2},
}
CHUNK_BYTES = 1 << 20
PART_BYTES = 5 << 20
PAGE_KEYS = 1000

_threads_of: int | None = None
"""The process that has the library's threads. They start with its first request and are not in a child of it."""


def use_in_this_process() -> None:
    """Called before each use. Raises ``ForkUnsafe`` in a child of a process that used the library."""
    global _threads_of
    if _threads_of not in (None, os.getpid()):
        raise ForkUnsafe(
            f"the library of object stores was used in process {_threads_of} before process {os.getpid()} was "
            "forked from it: use object stores in the task only"
        )
    _threads_of = os.getpid()


def library_errors() -> tuple[type[Exception], ...]:
    """Those of the library: its own tree, and Python's for an absent object and a malformed key."""
    import obstore.exceptions

    return obstore.exceptions.BaseError, OSError, ValueError


class ObjectContent(io.RawIOBase):
    """Reads the stream of one answer of ``size`` bytes; the library goes on by itself where a connection broke.

    Raises what ``failure`` makes of an error, also for an answer that is shorter than it said.
    """

    def __init__(self, chunks: Iterator[Any], size: int, failure: Callable[[Exception], Exception]) -> None:
        super().__init__()
        self._chunks = chunks
        self._missing = size
        self._failure = failure
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See ``io.RawIOBase``."""
        while not self._rest:
            try:
                chunk = next(self._chunks, None)
            except library_errors() as error:
                raise self._failure(error) from None
            if chunk is None:
                if self._missing:
                    raise self._failure(EOFError("HTTP error: the answer is too short"))
                return 0
            self._rest = memoryview(bytes(chunk))
            self._missing -= len(self._rest)
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)
