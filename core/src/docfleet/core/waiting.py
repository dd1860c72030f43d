"""Waiting: why a file or an execution that is open is not being worked on.

A worker reports the wait of a file that it holds or hands back as a ``Wait``, in seconds from now: times are never
compared between machines. The backend stores it as a ``Waiting``, in its own time.
"""

from __future__ import annotations

from enum import StrEnum

from docfleet.core.wire import Wire


class WaitCause(StrEnum):
    """What an open file or execution waits for."""

    STOPPING = "stopping"
    """It was stopped, and a worker still holds a file of it."""
    NO_WORKER = "no_worker"
    """No worker of the type that it needs is running."""
    ORGANIZATION_SHARE = "organization_share"
    """Its organization has as many open batches as its weight allows."""
    RUNNER_AWAY = "runner_away"
    """The runner of its worker does not answer."""
    BREAKER_OPEN = "breaker_open"
    """Calls to a dependency failed several times in a row, and pause."""
    DESTINATION_AWAY = "destination_away"
    """The destination does not answer."""
    DEPENDENCY_AWAY = "dependency_away"
    """Something else that it needs does not answer."""
    STORAGE_FULL = "storage_full"
    """The machine of its worker has no space to work in."""
    MACHINE_TROUBLE = "machine_trouble"
    """The machine of its worker has run out of something else, such as file descriptors or memory."""
    LONG_RUN = "long_run"
    """It takes long, and its runner is at as many long documents as it may be."""
    BACKOFF = "backoff"
    """An attempt at it was lost, and the next one is due later."""
    SLOT = "slot"
    """All slots of the workers are taken."""

    @property
    def is_of_machine(self) -> bool:
        """Whether the cause lies in one machine. A file may wait for it only a limited number of times."""
        return self in (WaitCause.STORAGE_FULL, WaitCause.MACHINE_TROUBLE)


class Wait(Wire):
    """A wait as a worker reports it. ``retry_seconds`` is the time to the next attempt, the ``attempt``-th of
    ``attempts``; 0 where a number is not known. ``detail`` names what does not answer, in words for people."""

    cause: WaitCause
    detail: str = ""
    retry_seconds: float = 0.0
    attempt: int = 0
    attempts: int = 0


class Waiting(Wire):
    """A wait as the backend stores it: ``since`` and ``until`` are seconds since the epoch, ``until`` 0 without a
    known end. ``file_attempt`` is the attempt at the file under which it was reported."""

    cause: WaitCause
    since: float
    file_attempt: int = 0
    detail: str = ""
    until: float = 0.0
    attempt: int = 0
    attempts: int = 0
