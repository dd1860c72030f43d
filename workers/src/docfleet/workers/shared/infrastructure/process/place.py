"""Where a process runs, and whether a process of the same place has ended: certainly, or not at all.

Two processes have one place when one of them sees the other by its id: same boot of a kernel, same namespace of process
ids. A host name is no such sign, because containers of one pod share it and a pod keeps it when its container is
replaced. Neither is a process id, which is given again: the time of its start tells the two apart.
"""

from __future__ import annotations

import os
from pathlib import Path

from docfleet.core.presence import WorkerProcess

_PROC = Path("/proc")
_ENDED = frozenset("ZXx")
"""States of a process whose main thread has ended: a parent that does not wait for it leaves it there."""
_STATE, _STARTED = 0, 19
"""Positions in ``/proc/PID/stat`` after the name, which may hold blanks."""


def this_place() -> str:
    """The place of this process; empty when it cannot be known, so that no other process has the same."""
    try:
        if Path(_PROC / "self").readlink().name != str(os.getpid()):
            return ""  # the mounted /proc is that of another namespace
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        # The namespace of time shifts the times of starts.
        namespaces = [str((_PROC / "self/ns" / name).readlink()) for name in ("pid", "time")]
    except OSError:
        return ""
    return " ".join([boot, *namespaces])


def started(pid: int) -> int | None:
    """When the process started, in clock ticks since the boot; None when there is none, or it cannot be read."""
    fields = _fields(pid)
    return None if fields is None else int(fields[_STARTED])


def has_ended(process: WorkerProcess) -> bool:
    """Whether this process of our place has certainly ended."""
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # it is another user's
    fields = _fields(process.pid)
    if fields is None:
        return False  # another user's processes may be hidden
    return fields[_STATE] in _ENDED or int(fields[_STARTED]) != process.started


def _fields(pid: int) -> list[str] | None:
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
