"""The limits of one run: what the kernel enforces, and what has to be watched.

============  =====================================  ==========================================
limit         kernel (per process)                   watched (the whole run)
============  =====================================  ==========================================
wall clock    -                                      deadline
CPU           RLIMIT_CPU, SIGXCPU                    -
memory        RLIMIT_DATA                            resident memory of all processes
file size     RLIMIT_FSIZE, SIGXFSZ or EFBIG         everything in the run's folder together
processes     - (RLIMIT_NPROC counts the user's)     descendants
============  =====================================  ==========================================

RLIMIT_AS is not used: libraries reserve far more addresses than they ever fill.
"""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass, field
from typing import NamedTuple

from docfleet.core import priority
from docfleet.core.runs import RunLimits
from docfleet.runner.engines.wire import Breach
from docfleet.runner.processes import children, descendants, group_of

WATCH_SECONDS = 0.2
"""Seconds between two checks of a run, and before the first one: short runs are not checked."""

MAX_FILES = 20_000
"""The most entries of a run's folder. More count as too large an output, whatever their size."""

_DATA_SLACK = 64 * 1024**2
_CPU_GRACE_SECONDS = 5


def apply(limits: RunLimits) -> None:
    """Set the limits of this process; everything it starts inherits them."""
    priority.lower(limits.nice)
    _set(resource.RLIMIT_CORE, 0, 0)
    _set(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + _CPU_GRACE_SECONDS)
    _set(resource.RLIMIT_FSIZE, limits.file_size_bytes, limits.file_size_bytes)
    _set(resource.RLIMIT_DATA, limits.memory_bytes + _DATA_SLACK, limits.memory_bytes + _DATA_SLACK)


def _set(kind: int, soft: int, hard: int) -> None:
    ceiling = resource.getrlimit(kind)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))


@dataclass(slots=True)
class Watch:
    """Measures one running process group. ``leader`` is its first process; times are monotonic seconds."""

    leader: int
    root: str
    limits: RunLimits
    input_bytes: int
    started: float
    next_look: float = field(init=False)
    peak_memory_bytes: int = 0

    def __post_init__(self) -> None:
        self.next_look = min(self.started + WATCH_SECONDS, self.deadline)

    @property
    def deadline(self) -> float:
        """When the wall clock limit is reached."""
        return self.started + self.limits.wall_seconds

    def look(self, now: float) -> Breach | None:
        """The limit that is exceeded at this moment, if any."""
        if now >= self.deadline:
            return "wall"
        self.next_look = min(now + WATCH_SECONDS, self.deadline)
        processes, memory = self._measure()
        self.peak_memory_bytes = max(self.peak_memory_bytes, memory)
        if memory > self.limits.memory_bytes:
            return "memory"
        if processes > self.limits.processes:
            return "processes"
        return "output" if self.writes_too_much() else None

    def writes_too_much(self) -> bool:
        """Whether the folder grew by more than one file may hold."""
        allowed = self.input_bytes + self.limits.file_size_bytes
        return folder_size(self.root, allowed).total > allowed

    def _measure(self) -> tuple[int, int]:
        pids = set(descendants(self.leader))
        # A process whose parent ended is a child of this process now, but still in the leader's group.
        for pid in children(os.getpid()):
            if pid not in pids and group_of(pid) == self.leader:
                pids.update(descendants(pid))
        memory = sum(map(_resident_bytes, pids))
        if memory > self.limits.memory_bytes:
            # Shared pages were counted in each process. The exact sum is expensive, so it is computed only above the
            # limit.
            memory = sum(map(_proportional_bytes, pids))
        return len(pids), memory


def _resident_bytes(pid: int) -> int:
    return _sum_of_lines(f"/proc/{pid}/status", (b"RssAnon:", b"RssShmem:"))


def _proportional_bytes(pid: int) -> int:
    return _sum_of_lines(f"/proc/{pid}/smaps_rollup", (b"Pss_Anon:", b"Pss_Shmem:"))


def _sum_of_lines(path: str, names: tuple[bytes, ...]) -> int:
    try:
        with open(path, "rb", buffering=0) as stream:  # noqa: PTH123
            lines = stream.read(8192).splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(names))


class FolderSize(NamedTuple):
    """Bytes in all files of a folder, and in the largest of them."""

    total: int
    largest: int


def folder_size(root: str, enough: int) -> FolderSize:
    """Size of all files below ``root``, without following links; counting ends above ``enough``.

    More than ``MAX_FILES`` entries count as ``enough + 1`` bytes.
    """
    total = largest = entries = 0
    pending = [root]
    while pending:
        try:
            with os.scandir(pending.pop()) as listing:
                for entry in listing:
                    entries += 1
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        size = entry.stat(follow_symlinks=False).st_size
                        total += size
                        largest = max(largest, size)
                    if total > enough or entries > MAX_FILES:
                        return FolderSize(enough + 1, largest)
        except OSError:
            continue  # the tool has removed the file
    return FolderSize(total, largest)
