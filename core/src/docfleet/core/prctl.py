"""What a process asks of the kernel of Linux (prctl(2)); on other systems nothing happens."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

# Loaded once, before any fork: a child only calls it.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def prctl(option: int, value: int) -> None:
    """Set one option of this process."""
    if _libc is not None:
        _libc.prctl(option, value, 0, 0, 0)


def die_with_parent(parent: int, with_signal: signal.Signals) -> None:
    """Have the kernel send ``with_signal`` when the parent dies; exit at once if ``parent`` has died already."""
    prctl(_PR_SET_PDEATHSIG, with_signal)
    if os.getppid() != parent:
        os._exit(0)
