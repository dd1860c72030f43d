"""Stops, as a worker hears of them at once.

The backend broadcasts the id of an execution that is to stop (Celery's remote control). The parent of the pool writes
it into memory that its children share, and a child that works on this execution asks the backend. It is a hint and
nothing more: whoever misses it learns of the stop with the next renewal of its leases, and a forged one costs a call.
"""

from __future__ import annotations

import mmap
import struct
import uuid
from typing import Any

from celery.worker.control import control_command

from docfleet.core.names import STOP_EXECUTION

SLOTS = 256
"""How many stops are remembered; a child that looked away for longer asks the backend in any case."""
_COUNT = struct.Struct("=Q")
_ID_BYTES = 16

_told: mmap.mmap | None = None


def watch_stops() -> None:
    """Called in the parent before it forks: memory that its children share."""
    global _told
    _told = mmap.mmap(-1, _COUNT.size + SLOTS * _ID_BYTES)


def stops_told() -> int:
    """How many stops this worker was told of; 0 outside of a worker."""
    return 0 if _told is None else int(_COUNT.unpack_from(_told)[0])


def was_told(execution_id: str, *, since: int) -> bool:
    """True when ``execution_id`` may be among the stops told after the first ``since``."""
    count = stops_told()
    if _told is None or count == since:
        return False
    if count - since > SLOTS:
        return True
    wanted = uuid.UUID(execution_id).bytes
    places = (_COUNT.size + number % SLOTS * _ID_BYTES for number in range(since, count))
    return any(_told[place : place + _ID_BYTES] == wanted for place in places)


@control_command(name=STOP_EXECUTION)  # type: ignore[untyped-decorator]
def stop_execution(state: Any, execution_id: str) -> None:
    """In the parent: note a stop. What is no id is none of ours."""
    if _told is None:
        return
    try:
        told = uuid.UUID(execution_id).bytes
    except (ValueError, AttributeError, TypeError):
        return
    count = stops_told()
    place = _COUNT.size + count % SLOTS * _ID_BYTES
    # The id first: whoever sees the new count finds it.
    _told[place : place + _ID_BYTES] = told
    _COUNT.pack_into(_told, 0, count + 1)
