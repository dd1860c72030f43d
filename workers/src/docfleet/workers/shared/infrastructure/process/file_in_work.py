"""The file in work of each pool child, in memory that the parent shares and reads when a child has died.

A child writes it before each file and clears it after, so that the death of a process counts against the one file in
work, and never against the other files of its batch.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

SLOTS = 8192
"""A child's slot is computed from its process id. Two children in one slot lose only the name of the file."""

_SLOT = struct.Struct("<q40s")
_table: mmap.mmap | None = None


def watch_files() -> None:
    """Called in the parent before it forks. Only the pages that children write to take memory."""
    global _table
    _table = mmap.mmap(-1, SLOTS * _SLOT.size)


@contextmanager
def working_on(file_execution_id: str) -> Iterator[None]:
    """While the block runs, that file is the one in work of this process."""
    _write(file_execution_id)
    try:
        yield
    finally:
        _write("")


def file_of(pid: int) -> str | None:
    """The file that the process was working on when it died, if any."""
    if _table is None:
        return None
    writer, name = _SLOT.unpack_from(_table, _offset(pid))
    return name.rstrip(b"\0").decode("ascii", "replace") or None if writer == pid else None


def _write(name: str) -> None:
    if _table is not None:
        pid = os.getpid()
        _SLOT.pack_into(_table, _offset(pid), pid, name.encode("ascii", "replace"))


def _offset(pid: int) -> int:
    return pid % SLOTS * _SLOT.size
