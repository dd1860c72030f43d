"""Lost pool children: the parent notices that a child died and reports it to the backend at once.

The backend then frees the files the child held, counts a strike against the one in work, and has the next sweep send
the work again. If the report does not arrive, the leases expire: recovery then takes one lease period.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
from typing import Any

import structlog
from celery.concurrency.asynpool import AsynPool
from celery.concurrency.prefork import TaskPool
from celery.exceptions import WorkerLostError
from celery.worker import state
from celery.worker.request import Request

from docfleet.core.batch_calls import LostProcess
from docfleet.core.names import TaskName
from docfleet.workers.shared.infrastructure.process.backend_post import Refused, post
from docfleet.workers.shared.infrastructure.process.file_in_work import file_of

log = structlog.get_logger()

REPORT_SECONDS = 2.0
"""The time limit of the report: one thread of the parent serves all its children."""
NOTICE_SECONDS = 1.0
"""Seconds between two checks for dead children, and the wait for a result that a dead child may have sent."""

_ORCHESTRATIONS = {TaskName.ASYNC_EXECUTE_BIN, TaskName.ASYNC_EXECUTE_BIN_API, TaskName.ASYNC_EXECUTE_BIN_GENERAL}


class WatchedRequest(Request):  # type: ignore[misc]
    """A task as the parent of the pool sees it, which notices the death of a child.

    The report is not sent by a thread: a parent that forks must have none.
    """

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Report first: what Celery does next may wait for the result backend."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, WorkerLostError | SystemExit):
            self.report_lost(str(error))
        return super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)

    def on_timeout(self, soft: bool, timeout: float) -> Any:
        """The hard limit: the child is killed before its files are given to others."""
        if not soft and self.worker_pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.worker_pid, signal.SIGKILL)
            self.report_lost(f"hard time limit ({timeout} s)")
        return super().on_timeout(soft, timeout)

    def report_lost(self, cause: str) -> None:
        """Report to the backend that the child is dead. A child that ended with its worker counts against no file."""
        about = execution_of(self.task_name, self.args, self.kwargs)
        if about is None or self.worker_pid is None:
            return
        organization_id, execution_id = about
        # A terminated worker ends its children, too: no file is at fault.
        at = None if state.should_terminate else file_of(self.worker_pid)
        lost = LostProcess(
            owner=f"{self.hostname}/{self.worker_pid}",
            execution_id=execution_id,
            orchestration=self.task_name in _ORCHESTRATIONS and not state.should_terminate,
            file_execution_id=at,
            told_to_end=bool(state.should_terminate),
        )
        log.error("child.lost", pid=self.worker_pid, execution_id=execution_id, file_execution_id=at, cause=cause)
        report(organization_id, lost)


class WatchingPool(TaskPool):  # type: ignore[misc]
    """Celery's prefork pool, which otherwise looks for dead children only every five seconds."""

    __module__ = TaskPool.__module__  # Celery's banner shows it

    class Pool(AsynPool):  # type: ignore[misc]
        """The pool behind it."""

        @property
        def timers(self) -> dict[Any, float]:
            """Periodic work of the event loop, in seconds."""
            return {self.maintain_pool: NOTICE_SECONDS}


def execution_of(task: str, args: Any, kwargs: Any) -> tuple[str, str] | None:
    """Organization and execution of a message; None for a message without them, or one that cannot be read."""
    try:
        if task == TaskName.PROCESS_FILE_BATCH:
            data = (args[0] if args else kwargs["file_batch_data"])["file_data"]
            return str(data["organization_id"]), str(data["execution_id"])
        if task in _ORCHESTRATIONS:
            named = [*args, *(kwargs[name] for name in ("schema_name", "workflow_id", "execution_id")[len(args) :])]
            return str(named[0]), str(named[2])
        return str(kwargs["organization_id"]), str(kwargs["execution_id"])
    except (LookupError, TypeError):
        return None


def report(organization_id: str, lost: LostProcess) -> None:
    """Send the report to the backend. Never raises: without it, the leases run out."""
    try:
        post("v1/workers/lost-process/", lost, seconds=REPORT_SECONDS, organization_id=organization_id)
    except Refused as error:
        log.warning("child.loss_refused", error=str(error))
    except (OSError, http.client.HTTPException) as error:
        log.warning("child.loss_not_reported", error=str(error) or type(error).__name__)
