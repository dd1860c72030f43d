"""Processes on Linux: their descendants, and how to end them all.

On other systems the functions do less: without ``/proc`` descendants are not seen, without ``prctl`` orphans are not
adopted and nothing is signalled.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterator

from docfleet.core.prctl import prctl

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def refuse_new_privileges() -> None:
    """Make set-user-id programs lose their effect, here and in everything started from here."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def hide_memory() -> None:
    """Keep other processes of the same user from reading this one's memory and environment."""
    prctl(_PR_SET_DUMPABLE, 0)


def children(pid: int) -> list[int]:
    """Direct children of ``pid``, zombies included; empty when it is gone."""
    pids: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208  called five times a second
            with open(f"/proc/{pid}/task/{task}/children", "rb", buffering=0) as stream:  # noqa: PTH123
                pids.extend(map(int, stream.read(1 << 20).split()))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return pids


def descendants(pid: int) -> Iterator[int]:
    """``pid`` and everything below it."""
    pending = [pid]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(children(current))


def group_of(pid: int) -> int | None:
    """The process group of ``pid``, or None when it is gone."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def kill_group(group: int) -> None:
    """SIGKILL for every member."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def kill_strays(keep: Collection[int], within_seconds: float = 5.0) -> int:
    """Kill and reap children of this process that are not in ``keep`` nor in a process group led by one of them.

    They are left by an ended run: its children became children of this process. Killing one may add its children, too,
    so this repeats until none is left or the time is up. Returns their number.
    """
    own, own_group = os.getpid(), os.getpgrp()
    seen: set[int] = set()
    until = time.monotonic() + within_seconds
    while True:
        strays = [pid for pid in children(own) if pid not in keep and group_of(pid) not in keep]
        if not strays or time.monotonic() > until:
            return len(seen)
        for pid in strays:
            seen.add(pid)
            group = group_of(pid)
            if group is not None and group != own_group:
                kill_group(group)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in strays:
            _reap(pid)


def _reap(pid: int) -> None:
    for _ in range(50):
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
        except ChildProcessError:
            return
        time.sleep(0.0005)
