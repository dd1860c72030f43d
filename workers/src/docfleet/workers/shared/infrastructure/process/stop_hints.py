"""Hints about stops, which reach a worker at once.

The backend broadcasts the id of an execution that is to stop (Celery's remote control). The parent of the pool writes
it into memory that its children share, and a child that works on this execution calls the backend. It is a hint only:
a child that misses it learns of the stop with the next renewal of its leases, and a forged hint only costs a call.
"""

from __future__ import annotations

import mmap
import struct
import uuid
from typing import Any

from celery.worker.control import control_command

from docfleet.core.names import STOP_EXECUTION

SLOTS = 256
"""How many stops are kept; a child that missed more calls the backend in any case."""
_COUNT = struct.Struct("=Q")
_ID_BYTES = 16

_stops: mmap.mmap | None = None


def watch_stops() -> None:
    """Called in the parent before it forks: memory that its children share."""
    global _stops
    _stops = mmap.mmap(-1, _COUNT.size + SLOTS * _ID_BYTES)


def stop_count() -> int:
    """How many stops this worker has received; 0 outside of a worker."""
    return 0 if _stops is None else int(_COUNT.unpack_from(_stops)[0])


def may_be_stopped(execution_id: str, *, since: int) -> bool:
    """True when ``execution_id`` may be among the stops received after the first ``since``."""
    count = stop_count()
    if _stops is None or count == since:
        return False
    if count - since > SLOTS:
        return True
    wanted = uuid.UUID(execution_id).bytes
    offsets = (_COUNT.size + number % SLOTS * _ID_BYTES for number in range(since, count))
    return any(_stops[offset : offset + _ID_BYTES] == wanted for offset in offsets)


@control_command(name=STOP_EXECUTION)  # type: ignore[untyped-decorator]
def stop_execution(state: Any, execution_id: str) -> None:
    """In the parent: note a stop. A malformed id is ignored."""
    if _stops is None:
        return
    try:
        stopped = uuid.UUID(execution_id).bytes
    except (ValueError, AttributeError, TypeError):
        return
    count = stop_count()
    offset = _COUNT.size + count % SLOTS * _ID_BYTES
    # The id first: a child that reads the new count finds it.
    _stops[offset : offset + _ID_BYTES] = stopped
    _COUNT.pack_into(_stops, 0, count + 1)
