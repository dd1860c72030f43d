"""CPU time and memory of a tree of processes, as Linux counts them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
COMPANION = "companion"
"""The name of the process beside a worker that announces it."""
_UTIME = 11
"""Position of utime in ``/proc/PID/stat`` after the name; stime, cutime and cstime follow."""


def children(pid: int) -> list[int]:
    """Direct children, those that wait to be reaped included; none when ``pid`` is gone."""
    pids: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            pids += map(int, (task / "children").read_text().split())
    except (FileNotFoundError, ProcessLookupError):
        pass
    return pids


def tree(roots: Iterable[int]) -> list[int]:
    """The roots and everything below them."""
    pending, pids = list(roots), []
    while pending:
        pid = pending.pop()
        pids.append(pid)
        pending += children(pid)
    return pids


def cpu_seconds(roots: Iterable[int]) -> float:
    """User and system time of the trees since their start, that of ended and reaped descendants included.

    A process that ends adds its time to that of the parent that reaps it, so the sum over a tree never loses any
    as long as every parent lives and waits for its children.
    """
    ticks = 0
    for pid in tree(roots):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += sum(map(int, stat.rpartition(")")[2].split()[_UTIME : _UTIME + 4]))
    return ticks / _TICKS_PER_SECOND


def own_cpu_seconds() -> float:
    """User and system time of this process alone."""
    times = os.times()
    return times.user + times.system


def rss_mb(pid: int) -> float:
    """Resident memory now, shared pages included."""
    return _status(pid, "VmRSS") / 1024


def peak_rss_mb(pid: int) -> float:
    """The highest resident memory so far."""
    return _status(pid, "VmHWM") / 1024


def private_mb(pid: int) -> float:
    """Resident memory that no other process shares."""
    kib = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(("Private_Clean:", "Private_Dirty:")):
            kib += int(line.split()[1])
    return kib / 1024


def _status(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return 0


def pool_children(worker: int) -> list[int]:
    """The pool of a worker: its children without its companion."""
    return [pid for pid in children(worker) if comm(pid) != COMPANION]


def comm(pid: int) -> str:
    """The name of the process; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def command_line(pid: int) -> str:
    """Its arguments, with spaces between them."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
