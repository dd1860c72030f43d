"""How much of scarce processors this process gets."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def lower(nice: int) -> None:
    """Add ``nice`` (0 to 19) to the niceness of this process and of all it starts.

    Linux may share processors between sessions first (autogroups, see sched(7)); niceness then counts within a
    session only. So a process that leads its session makes the session as nice.
    """
    if not nice:
        return
    total = os.nice(nice)
    if os.getsid(0) == os.getpid():
        # Absent on other systems; it is also refused when many processes do it at once.
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(total))
