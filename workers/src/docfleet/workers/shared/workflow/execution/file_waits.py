"""What a file waits for while its worker holds it: the backend and its log learn it at once.

The wait is noticed where calls are repeated (``patterns.retry``). A worker that shuts down, or has lost the file, does
not go on waiting.
"""

from __future__ import annotations

import pybreaker
import structlog

from docfleet.core.errors import (
    DependencyError,
    DestinationUnavailable,
    MachineTrouble,
    RunnerBusy,
    RunnerUnavailable,
    StorageFull,
    ToolKilled,
)
from docfleet.core.waiting import Wait, WaitCause
from docfleet.workers.shared.infrastructure.patterns.retry import Retry
from docfleet.workers.shared.infrastructure.process.shutdown import shutting_down
from docfleet.workers.shared.workflow.execution.file_lines import FileLines
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper

log = structlog.get_logger()

LONG_RUN_SECONDS = 10.0
"""How long a file that needs a place for a long run waits before it is handed out again."""
_CAUSES: tuple[tuple[type[Exception], WaitCause], ...] = (
    (RunnerUnavailable, WaitCause.RUNNER_AWAY),
    (RunnerBusy, WaitCause.LONG_RUN),
    (DestinationUnavailable, WaitCause.DESTINATION_AWAY),
    (StorageFull, WaitCause.STORAGE_FULL),
    (ToolKilled, WaitCause.BACKOFF),
    (MachineTrouble, WaitCause.MACHINE_TROUBLE),
)


def cause_of(error: BaseException) -> WaitCause:
    """What a call that failed with ``error`` waits for. That the runner is away says more than that its breaker is
    open, which the message has."""
    if isinstance(error.__cause__, pybreaker.CircuitBreakerError) and not isinstance(error, RunnerUnavailable):
        return WaitCause.BREAKER_OPEN
    return next((cause for kind, cause in _CAUSES if isinstance(error, kind)), WaitCause.DEPENDENCY_AWAY)


def wait_after(error: DependencyError) -> Wait:
    """Why a file is handed back whose call failed with ``error`` for good."""
    cause = cause_of(error)
    seconds = LONG_RUN_SECONDS if cause is WaitCause.LONG_RUN else 0.0
    return Wait(cause=cause, detail=error.message, retry_seconds=seconds)


class FileWaits:
    """Observes the repeated calls of one attempt at a file."""

    def __init__(self, file_execution_id: str, leases: LeaseKeeper, lines: FileLines) -> None:
        self._id = file_execution_id
        self._leases = leases
        self._lines = lines
        self._cause: WaitCause | None = None

    def waits(self, retry: Retry) -> None:
        """A call failed and is repeated after a wait."""
        wait = Wait(
            cause=cause_of(retry.error),
            detail=str(retry.error),
            retry_seconds=round(retry.seconds, 3),
            attempt=retry.attempt + 1,
            attempts=retry.attempts,
        )
        self._leases.note_wait(self._id, wait)
        if wait.cause is not self._cause:
            self._cause = wait.cause
            self._lines.waits(wait)

    def goes_on(self) -> None:
        """The call succeeded, or failed for good."""
        if self._cause is not None:
            self._cause = None
            self._leases.note_wait(self._id, None)

    def should_stop(self) -> bool:
        """Whether to wait no longer."""
        return shutting_down() or self._leases.is_lost(self._id)
