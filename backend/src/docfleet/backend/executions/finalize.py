"""Ending an execution: idempotent, level-triggered, counted from rows.

The callback, the errback, the last report, a stop and the sweep all come here; whoever is first makes the
transition, everybody else is told how it ended.
"""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy import Connection

from docfleet.backend.db import Record, clean
from docfleet.backend.executions import repository, state
from docfleet.backend.executions.repository import Counts
from docfleet.backend.pipelines import repository as pipelines
from docfleet.core.execution import FinalizeRequest, FinalizeResponse
from docfleet.core.faults import point
from docfleet.core.status import EmptyReason, ExecutionStatus, derive_execution_status, derive_pipeline_status

log = structlog.get_logger(__name__)

LONGEST_ERROR = 2000


def finalize(
    connection: Connection, organization_id: str, execution_id: str, request: FinalizeRequest
) -> FinalizeResponse:
    """End the execution when it can end; otherwise change nothing. Raises ``NotFound``."""
    execution = repository.lock_execution(connection, organization_id, execution_id)
    if request.error is not None:
        fail(connection, execution, request.error, request.error_code)
    else:
        when_done(connection, execution, request.empty_reason)
    after = repository.find(connection, organization_id, execution_id)
    counts = repository.count(connection, execution_id)
    return FinalizeResponse(
        execution_id=execution_id,
        workflow_id=execution.workflow_id,
        status=ExecutionStatus(after.status),
        finalized=repository.is_final(after) and not repository.is_final(execution),
        total_files=after.total_files,
        successful_files=counts.completed,
        failed_files=counts.error,
        stopped_files=counts.stopped,
        skipped_files=sum(after.skipped.values()),
        open_files=counts.open,
    )


def when_done(connection: Connection, execution: Record, empty_reason: EmptyReason | None = None) -> bool:
    """Finalize the locked ``execution`` if nothing of it is open; True for the call that did.

    Without files it ends only on ``empty_reason``; with files only once they are all registered and dispatched.
    """
    if repository.is_final(execution):
        return False
    if execution.total_files == 0:
        return empty_reason is not None and _end(
            connection, execution, ExecutionStatus.COMPLETED, Counts(), empty_reason=empty_reason.value
        )
    if execution.dispatched_at is None:
        return False
    counts = repository.count(connection, execution.id)
    return not counts.open and _by_counts(connection, execution, counts)


def _by_counts(connection: Connection, execution: Record, counts: Counts) -> bool:
    status = derive_execution_status(
        total=execution.total_files, successful=counts.completed, failed=counts.error, stopped=counts.stopped
    )
    fields = {}
    if status is ExecutionStatus.ERROR:
        fields["error_message"] = "no file succeeded; each file says why"
    return _end(connection, execution, status, counts, **fields)


def complete(connection: Connection, execution: Record) -> bool:
    """End the locked ``execution`` as its rows say, dispatched or not; False while files are open."""
    if repository.is_final(execution):
        return False
    counts = repository.count(connection, execution.id)
    return not counts.open and _by_counts(connection, execution, counts)


def fail(connection: Connection, execution: Record, error: str, error_code: str | None = None) -> bool:
    """End the locked ``execution`` with ``error``; what is open ends with the same cause."""
    if repository.is_final(execution):
        return False
    cause = clean(error, LONGEST_ERROR)
    code = clean(error_code, 50)
    state.move_files(connection, execution.id, ExecutionStatus.ERROR, error=cause, error_code=code)
    counts = repository.count(connection, execution.id)
    return _end(connection, execution, ExecutionStatus.ERROR, counts, error_message=cause, error_code=code)


def stop(connection: Connection, execution: Record) -> bool:
    """End the locked ``execution`` as STOPPED with all its open files."""
    if repository.is_final(execution):
        return False
    state.move_files(connection, execution.id, ExecutionStatus.STOPPED, error="stopped on request")
    counts = repository.count(connection, execution.id)
    return _end(connection, execution, ExecutionStatus.STOPPED, counts)


def _end(connection: Connection, execution: Record, status: ExecutionStatus, counts: Counts, **fields: Any) -> bool:
    moved = state.move_execution(
        connection,
        execution.id,
        status,
        successful_files=counts.completed,
        failed_files=counts.error,
        stopped_files=counts.stopped,
        **fields,
    )
    if moved:
        pipelines.finished(connection, execution, derive_pipeline_status(status, counts.error))
        point("finalize.before_commit")
        log.info("execution.finalized", execution_id=execution.id, status=status.value, files=counts.total)
    return moved
