"""Warm shutdown, as the pool's children see it.

Only the parent is told to end (children ignore SIGTERM, see ``fork``), and it waits for the tasks that run. A batch
may have an hour of files before it, so it asks between two files and hands the rest back within the grace period.
"""

from __future__ import annotations

import mmap
from typing import Any

from celery import signals

_told: mmap.mmap | None = None


def watch_shutdown() -> None:
    """Called in the parent before it forks: a byte that its children share."""
    global _told
    _told = mmap.mmap(-1, 1)
    signals.worker_shutting_down.connect(_tell, weak=False)


def shutting_down() -> bool:
    """True once the worker was told to end."""
    return _told is not None and _told[0] != 0


def _tell(**_: Any) -> None:
    if _told is not None:
        _told[0] = 1
