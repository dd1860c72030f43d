"""Which file each pool child is at: memory that the parent shares, and reads when the child has died.

A child writes before each file and clears after it, so that the death of a process is held against the one file it
was at, and never against the files that only lay beside it.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

SLOTS = 8192
"""A child's slot follows from its process id. Two that meet in one slot cost the name of the file, nothing else."""

_SLOT = struct.Struct("<q40s")
_table: mmap.mmap | None = None


def watch_files() -> None:
    """Called in the parent before it forks. Only the pages that children write to take memory."""
    global _table
    _table = mmap.mmap(-1, SLOTS * _SLOT.size)


@contextmanager
def working_on(file_execution_id: str) -> Iterator[None]:
    """This process is at that file as long as the block runs."""
    _write(file_execution_id)
    try:
        yield
    finally:
        _write("")


def file_of(pid: int) -> str | None:
    """The file that process was at when it died, if it was at one."""
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
