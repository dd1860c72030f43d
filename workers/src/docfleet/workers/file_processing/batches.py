"""Processes a batch message and returns the batch result."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

import msgspec
import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from celery import Celery

from docfleet.core.batch_calls import ClaimResponse
from docfleet.core.errors import DocfleetError, InvalidInput
from docfleet.core.execution import ExecutionContext
from docfleet.core.faults import point
from docfleet.core.files import FileBatchData
from docfleet.core.log_events import LogStage
from docfleet.core.names import ExecutionQueues, TaskName, execution_queues
from docfleet.core.results import BatchExecutionResult, CallbackTaskData
from docfleet.core.status import SkipReason
from docfleet.workers.file_processing.additions import add_files
from docfleet.workers.shared.clients.api import InternalApi
from docfleet.workers.shared.infrastructure.celery.lost_children import execution_of
from docfleet.workers.shared.infrastructure.logging.workflow_log import WorkflowLogger
from docfleet.workers.shared.infrastructure.process.shutdown import shutting_down
from docfleet.workers.shared.infrastructure.process.slot_hints import hint_count
from docfleet.workers.shared.workflow.execution.batch import BatchRun, first_claim_request
from docfleet.workers.shared.workflow.execution.context import WorkerExecutionContext
from docfleet.workers.shared.workflow.execution.file_run import FileRun
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper
from docfleet.workers.shared.workflow.execution.slot import Slot

log = structlog.get_logger()

MARGIN_SECONDS = 60.0


def process(app: Celery, message: Any, *, hostname: str, in_chord: bool) -> BatchExecutionResult:
    """Process the batch. A failure of the batch itself is in the result's ``errors``; its files are sent again
    when their leases expire. A batch outside a chord replaces the callback: it cleans up when its report ended the
    execution, and calls the callback otherwise."""
    try:
        result = _process(app, _read(message), owner=f"{hostname}/{os.getpid()}", in_chord=in_chord)
        point("batch.returned")
        return result
    except SoftTimeLimitExceeded:
        log.error("batch.time_limit")
        return BatchExecutionResult(errors=["the batch ran into its time limit; its files are handed out again"])
    except DocfleetError as error:
        log.error("batch.failed", code=error.code, error=error.message)
        WorkflowLogger.error(LogStage.PROCESSING, f"a batch was not processed: {error.message}")
        return BatchExecutionResult(errors=[error.message])
    except Exception as error:  # the task boundary: a header task never raises
        log.exception("batch.crashed")
        return BatchExecutionResult(errors=[f"{type(error).__name__}: {error}"])


def _read(message: Any) -> FileBatchData:
    """The batch. Of one that cannot be read, the execution is bound if it is named, so that its log has the reason."""
    try:
        return FileBatchData.from_dict(message)
    except InvalidInput:
        named = execution_of(TaskName.PROCESS_FILE_BATCH, [message], {})
        if named is not None:
            with contextlib.suppress(InvalidInput):
                WorkerExecutionContext.bind(*named)
        raise


def _process(app: Celery, batch: FileBatchData, *, owner: str, in_chord: bool) -> BatchExecutionResult:
    data = batch.file_data
    api = WorkerExecutionContext.bind(data.organization_id, data.execution_id)
    if not batch.without_rows:
        return _work(app, api, batch, owner=owner, in_chord=in_chord)
    added = add_files(api.files(data.organization_id), batch)
    queues = api.workflows(data.organization_id).context(data.execution_id).queues
    for more in added.batches[1:]:
        app.send_task(TaskName.PROCESS_FILE_BATCH.value, args=[more.to_dict()], queue=queues.batches.value)
    result = BatchExecutionResult(organization_id=data.organization_id)
    if added.batches:
        result = _work(app, api, added.batches[0], owner=owner, in_chord=True)
    result.skipped_active_duplicate += added.skipped.get(SkipReason.ACTIVE_ELSEWHERE, 0)
    if not in_chord:
        # A batch of a chord has a callback, which reports that no more files come; this one reports it itself.
        _send_callback(app, batch, queues, [result.to_dict()])
    return result


def _work(app: Celery, api: InternalApi, batch: FileBatchData, *, owner: str, in_chord: bool) -> BatchExecutionResult:
    """Process the files of the batch that nobody else holds."""
    data = batch.file_data
    slot = Slot(batch.yielded_at)
    files, limit = api.files(data.organization_id), api.settings.claim_limit
    with LeaseKeeper(files, data.execution_id, owner, api.settings.lease_seconds) as leases:
        point("batch.claim.before")
        sent_at, hints = time.monotonic(), hint_count()
        claimed = files.claim(data.execution_id, first_claim_request(batch, leases, limit, slot))
        slot.answered(claimed.slot, hints)
        if slot.has_to_yield:
            log.info("batch.stepped_back")
            _send_again(app, batch, slot, execution_queues(is_api=slot.answer.is_api))
            return BatchExecutionResult(organization_id=data.organization_id)
        # A backend of the previous version returns no context with a claim.
        context = claimed.context or api.workflows(data.organization_id).context(data.execution_id)
        WorkerExecutionContext.remember(context)
        file_run = FileRun(context, api.settings, api.tools, leases)
        deadline = _deadline(app, context, api)
        run = BatchRun(
            batch,
            files,
            leases,
            file_run,
            slot,
            claim_limit=limit,
            should_stop=lambda: shutting_down() or time.monotonic() >= deadline,
        )
        try:
            result = run.run(claimed, sent_at)
        finally:
            file_run.close()
    _note_idle(claimed, result, context)
    if run.unfinished and not leases.stopped:
        _send_again(app, batch, slot, context.queues)
        return result  # the callback is its successor's
    if in_chord:
        return result
    if run.ended:
        # The report itself ended the execution: only this part of the callback's work is left.
        WorkerExecutionContext.delete_files(api, data.organization_id, context.execution.workflow_id, data.execution_id)
    else:
        _send_callback(app, batch, context.queues, [])
    return result


def _send_again(app: Celery, batch: FileBatchData, slot: Slot, queues: ExecutionQueues) -> None:
    """Put the batch at the end of its queue, unless the backend will send another one in its place."""
    if slot.has_to_yield:
        if not slot.answer.send_again:
            log.info("batch.taken_back")
            return
        batch = msgspec.structs.replace(batch, yielded_at=slot.answer.now)
    point("batch.send_again")
    app.send_task(TaskName.PROCESS_FILE_BATCH.value, args=[batch.to_dict()], queue=queues.batches.value)


def _note_idle(claimed: ClaimResponse, result: BatchExecutionResult, context: ExecutionContext) -> None:
    """Log why a batch had nothing to process. Usually its files are done: a repeated message, or the other batches were
    faster."""
    if claimed.unknown:
        result.errors.append(f"{claimed.unknown} files of the batch are no files of its execution")
        log.error("batch.files_unknown", files=claimed.unknown)
    if claimed.claims:
        return
    reason = "no file is left"
    if claimed.stop:
        reason = f"the execution is {context.execution.status.value} or being stopped"
    elif not context.execution.total_files:
        reason = "no file of the execution is registered"
        result.errors.append(reason)
    log.info("batch.nothing_to_do", reason=reason)


def _send_callback(app: Celery, batch: FileBatchData, queues: ExecutionQueues, results: list[dict[str, Any]]) -> None:
    """Call the callback again: the chord's callback may have run before these files were sent again, and the working
    files of a dead worker are still there. ``results`` are those of all batches, if all of them have ended."""
    data = batch.file_data
    callback = CallbackTaskData(
        execution_id=data.execution_id, organization_id=data.organization_id, pipeline_id=data.pipeline_id
    )
    app.send_task(queues.callback_task.value, args=[results], kwargs=callback.to_dict(), queue=queues.callback.value)


def _deadline(app: Celery, context: ExecutionContext, api: InternalApi) -> float:
    """When to stop taking files: one more file must fit before the soft time limit."""
    soft = float(app.conf.task_soft_time_limit)
    one_file = api.settings.tool_timeout_seconds * max(1, len(context.tool_instances)) + MARGIN_SECONDS
    return time.monotonic() + max(soft - one_file, soft / 2)
