"""Ending an execution: idempotent, level-triggered, counted from rows.

The callback, the errback, the last report, a stop and the sweep all call this; the first one makes the transition, and
the others get its result.
"""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy import Connection, and_, func, update

from docfleet.backend.executions import left_out, repository, state
from docfleet.backend.files.counts import Counts, count_files
from docfleet.backend.logs import last_line
from docfleet.backend.notifications import outbox
from docfleet.backend.pipelines import repository as pipelines
from docfleet.backend.platform.db import Record, clean, db_now
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import file_executions as files
from docfleet.core.batch_calls import FinalizeRequest, FinalizeResponse
from docfleet.core.faults import point
from docfleet.core.status import EmptyReason, ExecutionStatus, derive_execution_status, derive_pipeline_status

log = structlog.get_logger(__name__)

MAX_ERROR_LENGTH = 2000
STOPPED_ON_REQUEST = "stopped on request"
_LOST = "; the worker that had this file was lost, so it may have been delivered before"


def finalize(
    connection: Connection, organization_id: str, execution_id: str, request: FinalizeRequest
) -> FinalizeResponse:
    """End the execution when it can end; otherwise change nothing. Raises ``NotFound``.

    An error is one of the listing. It ends nothing once another orchestrator has dispatched the batches.
    """
    execution = repository.lock_execution(connection, organization_id, execution_id)
    if not repository.is_listed(execution) and not repository.is_final(execution):
        left_out.note(connection, execution, request.left_out)
    if request.error is not None and execution.dispatched_at is None:
        fail(connection, execution, request.error, request.error_code)
    else:
        end_if_done(connection, execution, request.empty_reason, batches_ended=request.batches_ended)
    after = repository.find(connection, organization_id, execution_id)
    counts = count_files(connection, execution_id)
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


def end_if_done(
    connection: Connection,
    execution: Record,
    empty_reason: EmptyReason | None = None,
    *,
    require_dispatched: bool = True,
    batches_ended: bool = False,
) -> bool:
    """End the locked ``execution`` if none of its files is open. True for the call that ended it.

    Without files it ends only on ``empty_reason``; with files only once they are all registered and dispatched.
    ``require_dispatched`` False ends it with the rows it has. ``batches_ended`` closes a listing that is open because
    the batches bring the files. A stop ends an execution once none of its leases runs.
    """
    if repository.is_final(execution):
        return False
    if execution.stop_requested_at is not None:
        return _stop(connection, execution)
    if require_dispatched and repository.is_open_listing(execution):
        if not batches_ended:
            return False
        connection.execute(update(executions).where(executions.c.id == execution.id).values(batch_count=1))
        empty_reason = EmptyReason.ALL_FILTERED
    if require_dispatched and execution.total_files == 0:
        return empty_reason is not None and _end(
            connection, execution, ExecutionStatus.COMPLETED, Counts(), empty_reason=empty_reason.value
        )
    if require_dispatched and execution.dispatched_at is None:
        return False
    counts = count_files(connection, execution.id)
    return not counts.open and _end_by_counts(connection, execution, counts)


def _end_by_counts(connection: Connection, execution: Record, counts: Counts) -> bool:
    status = derive_execution_status(
        total=execution.total_files, successful=counts.completed, failed=counts.error, stopped=counts.stopped
    )
    fields = {}
    if status is ExecutionStatus.ERROR:
        fields["error_message"] = "no file succeeded; each file says why"
    return _end(connection, execution, status, counts, **fields)


def fail(connection: Connection, execution: Record, error: str, error_code: str | None = None) -> bool:
    """End the locked ``execution`` with ``error``; its open files end with the same cause. An execution that is to stop
    stops instead."""
    if repository.is_final(execution):
        return False
    if execution.stop_requested_at is not None:
        return _stop(connection, execution)
    cause = clean(error, MAX_ERROR_LENGTH)
    code = clean(error_code, 50)
    state.move_files(connection, execution.id, ExecutionStatus.ERROR, error=cause, error_code=code)
    counts = count_files(connection, execution.id)
    return _end(connection, execution, ExecutionStatus.ERROR, counts, error_message=cause, error_code=code)


def request_stop(connection: Connection, execution: Record, *, abandoned: bool = False) -> bool:
    """Request the locked ``execution`` to stop; False when it was final. It ends here if none of its leases runs.

    From now on its files cannot be claimed. A lease that runs may stand for a delivery that has started. So the end
    waits until the worker reports or releases the file, or the lease runs out (``end_if_done``). ``abandoned`` does not
    wait: the caller knows that no worker of it lives.
    """
    if repository.is_final(execution):
        return False
    now = func.coalesce(executions.c.stop_requested_at, db_now())
    connection.execute(
        update(executions).where(executions.c.id == execution.id).values(stop_requested_at=now, modified_at=db_now())
    )
    _stop(connection, execution, abandoned=abandoned)
    return True


def expire(connection: Connection, execution: Record, error: str, error_code: str) -> bool:
    """Request the locked ``execution`` to end in ERROR with this cause; True when it ended here.

    As a stop, it waits for the last lease on a file, so that no file is delivered and ERROR at once. An execution that
    is to stop stops instead."""
    if repository.is_ending(execution):
        return False
    # An error code of an open execution is the reason for which it will end.
    cause = {"error_message": clean(error, MAX_ERROR_LENGTH), "error_code": clean(error_code, 50)}
    stopping = connection.execute(
        update(executions)
        .where(executions.c.id == execution.id)
        .values(stop_requested_at=db_now(), modified_at=db_now(), **cause)
        .returning(executions)
    ).one()
    return _stop(connection, stopping)


def _stop(connection: Connection, execution: Record, *, abandoned: bool = False) -> bool:
    """End the files that no worker holds, and the execution when no other file is left."""
    free = [] if abandoned else [files.c.lease_until < db_now()]
    lost = and_(files.c.status == ExecutionStatus.EXECUTING.value, files.c.lease_until > 0)
    target, cause, code = ExecutionStatus.STOPPED, STOPPED_ON_REQUEST, {}
    if execution.error_code is not None:
        target, cause, code = ExecutionStatus.ERROR, execution.error_message, {"error_code": execution.error_code}
    state.move_files(connection, execution.id, target, lost, *free, error=cause + _LOST, **code)
    state.move_files(connection, execution.id, target, *free, error=cause, **code)
    counts = count_files(connection, execution.id)
    return not counts.open and _end(connection, execution, target, counts)


def close(connection: Connection, execution: Record) -> None:
    """Stop the open files of a final ``execution``, and count its files again."""
    state.move_files(connection, execution.id, ExecutionStatus.STOPPED, error="its execution had ended")
    counts = count_files(connection, execution.id)
    connection.execute(
        update(executions)
        .where(executions.c.id == execution.id)
        .values(successful_files=counts.completed, failed_files=counts.error, stopped_files=counts.stopped)
    )


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
        pipelines.note_end(connection, execution, derive_pipeline_status(status, counts.error))
        numbers = outbox.FileCounts(execution.total_files, counts.completed, counts.error)
        outbox.write_ended(
            connection, execution, status, numbers, fields.get("error_message") or execution.error_message
        )
        last_line.write(connection, execution, status, counts, fields.get("error_message") or execution.error_message)
        point("finalize.before_commit")
        log.info("execution.finalized", execution_id=execution.id, status=status.value, files=counts.total)
    return moved
