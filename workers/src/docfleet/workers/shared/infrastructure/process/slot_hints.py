"""Hints that an execution waits for a slot, which reach a batch between two of its files.

The backend broadcasts them (Celery's remote control). The parent of the pool counts them in memory that its children
share, and a batch that has used its quantum reports to the backend, which decides. It is a hint only: a batch that
misses it learns the same with its next report, and a forged hint only costs a call.
"""

from __future__ import annotations

import mmap
import struct
from typing import Any

from celery.worker.control import control_command

from docfleet.core.names import SLOT_WANTED

_COUNTS = struct.Struct("=QQ")
"""Hints about runs and about calls of an API."""

_hints: mmap.mmap | None = None
_takes_api = True


def watch_slots(*, takes_api: bool) -> None:
    """Called in the parent before it forks: memory that its children share. ``takes_api``: this worker also takes
    batches of API calls."""
    global _hints, _takes_api
    _hints, _takes_api = mmap.mmap(-1, _COUNTS.size), takes_api


def takes_api() -> bool:
    """Whether this worker takes batches of API calls."""
    return _takes_api


def hint_count() -> tuple[int, int]:
    """How many hints this worker has received about runs, and about API calls; 0 outside of a worker."""
    if _hints is None:
        return 0, 0
    runs, calls = _COUNTS.unpack_from(_hints)
    return runs, calls


@control_command(name=SLOT_WANTED)  # type: ignore[untyped-decorator]
def slot_wanted(state: Any, is_api: bool = False) -> None:
    """In the parent: count a hint."""
    if _hints is not None:
        runs, calls = hint_count()
        _COUNTS.pack_into(_hints, 0, runs + (not is_api), calls + bool(is_api))
