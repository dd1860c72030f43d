"""Ends the processes of a supervisor when the supervisor is gone, even by SIGKILL.

A script of its own, run as ``python -I -S lifeline.py``. It reads lines from standard input, ``+ PGID kill``,
``+ PGID term`` and ``- PGID``. Only the supervisor holds the other end of that pipe, so end of file means that
the supervisor is dead. Then groups marked ``kill`` get SIGKILL at once; the leaders of the others get
SIGTERM, a few seconds to end their own children, and SIGKILL. Unlike PR_SET_PDEATHSIG this covers
whole groups, works on macOS too, and does not depend on which thread started a child.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

GRACE_SECONDS = 3.0


def main() -> None:
    """Read until the supervisor is gone, then end every group that is still registered."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, str] = {}
    for line in sys.stdin:
        match line.split():
            case ["+", group, how]:
                groups[int(group)] = how
            case ["-", group]:
                groups.pop(int(group), None)
    end_groups(groups)


def end_groups(groups: dict[int, str]) -> None:
    """SIGKILL or SIGTERM each group by its mark, then SIGKILL what is left after the grace period."""
    for group, how in groups.items():
        if how == "kill":
            _send(os.killpg, group, signal.SIGKILL)
        else:
            _send(os.kill, group, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(_send(os.killpg, group, 0) for group in groups):
        time.sleep(0.05)
    for group in groups:
        _send(os.killpg, group, signal.SIGKILL)


def _send(send: Callable[[int, int], None], target: int, number: int) -> bool:
    try:
        send(target, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    main()
