"""A process that is killed in the middle of a call."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from docfleet.core.errors import Fenced


def in_a_process_that(dies: int, deliver: Callable[[], Any]) -> int:
    """Run ``deliver`` in a child that is to end, or to stand still, by the signal; its process id."""
    pid = os.fork()
    if pid == 0:
        try:
            deliver()
        except Fenced:
            os._exit(7)
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, os.WUNTRACED)
    assert (os.WSTOPSIG(status) if os.WIFSTOPPED(status) else os.WTERMSIG(status)) == dies
    return pid
