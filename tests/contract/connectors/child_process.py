"""Use of a connector in a child of the process that made it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from docfleet.core.errors import ForkUnsafe


def assert_refused_in_a_child(operations: Sequence[Callable[[], Any]]) -> None:
    """A child process refuses each of them, with the process ids of both."""
    pid = os.fork()
    if pid == 0:
        refused = 0
        for operation in operations:
            try:
                operation()
            except ForkUnsafe as error:
                refused += f"made in process {os.getppid()} and is used in process {os.getpid()}" in error.message
            except BaseException:
                break
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == len(operations)
