"""The exit codes of every process of Docfleet."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a process or a command ends with."""

    SUCCESS = 0
    FAILURE = 1
    WRONG_CONFIGURATION = 2
    """A setting, an option or an argument is refused: starting it again does not help."""
    PARTIAL = 3
    """The run ended, and some of its files failed or cannot be read."""
    BEAT_DIED = 70
    """The beat process of a scheduler died: a supervisor starts the worker again."""
    INTERRUPTED = 130
    """Ctrl-C, or a signal that ends the process."""
