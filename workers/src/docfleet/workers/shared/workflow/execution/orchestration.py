"""Orchestration: from an execution to a chord of batches.

One orchestrator for every source. Rows are written before anything is sent. The chord is the fast path; the
backend's sweep is the guarantee.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import msgspec
import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from celery import Celery, chord
from celery.canvas import Signature
from celery.result import AsyncResult

from docfleet.core.batch_calls import FinalizeRequest, LeftOut, RegisterRequest, StartRequest, StartResponse
from docfleet.core.errors import DependencyError, DocfleetError, MachineTrouble, SourceError
from docfleet.core.execution import ExecutionContext
from docfleet.core.faults import point
from docfleet.core.files import FileBatchData, FileHashData, WorkerFileData
from docfleet.core.log_events import LogStage
from docfleet.core.machine import machine_trouble
from docfleet.core.names import ExecutionQueues, TaskName
from docfleet.core.results import CallbackTaskData
from docfleet.core.status import EmptyReason, skip_words
from docfleet.workers.shared.clients.api import InternalApi
from docfleet.workers.shared.infrastructure.logging.workflow_log import WorkflowLogger
from docfleet.workers.shared.workflow.connectors.source import Source
from docfleet.workers.shared.workflow.execution.batching import batch_count, create_batches
from docfleet.workers.shared.workflow.execution.file_waits import wait_after
from docfleet.workers.shared.workflow.execution.review import create_workflow_file_data_with_manual_review

log = structlog.get_logger()

REGISTER_PAGE = 500
"""Files per registration call: a page stays below a megabyte."""

MAX_PARALLEL_FILE_BATCHES = "MAX_PARALLEL_FILE_BATCHES"

_ENDED = ("already_final", "nothing_open")


class OrchestrationResult(msgspec.Struct, kw_only=True):
    """The result of an orchestration. ``status`` is orchestrated, completed, skipped or error; ``final`` when the
    execution has ended, so that no batch will call its callback."""

    status: str
    execution_id: str
    total_files: int = 0
    batches_created: int = 0
    skipped: dict[str, int] = {}
    error: str | None = None
    final: bool = False


class WorkflowOrchestrationUtils:
    """The specification's name for the one way to fan out."""

    @staticmethod
    def create_chord_execution(
        *,
        batch_tasks: list[Signature],
        callback_task_name: str,
        callback_kwargs: dict[str, Any],
        callback_queue: str,
        app_instance: Celery,
    ) -> AsyncResult | None:
        """Send the batches as a chord. ``None``, and nothing sent, when there are none.

        A header that fails because of the infrastructure calls the errback, which finalizes like the callback.
        """
        if not batch_tasks:
            return None
        errback = app_instance.signature(
            TaskName.PROCESS_BATCH_ERRBACK.value, kwargs=callback_kwargs, queue=callback_queue, app=app_instance
        )
        body = app_instance.signature(
            callback_task_name, kwargs=callback_kwargs, queue=callback_queue, app=app_instance
        )
        body.on_error(errback)
        return chord(batch_tasks, app=app_instance)(body)


class Orchestrator:
    """Carries one execution from its source to its batches."""

    def __init__(
        self,
        app: Celery,
        api: InternalApi,
        context: ExecutionContext,
        queues: ExecutionQueues,
        *,
        use_file_history: bool | None = None,
    ) -> None:
        """``use_file_history`` is the message's; None leaves the execution's setting."""
        self._app = app
        self._api = api
        self._context = context
        self._queues = queues
        self._organization = context.organization_context.organization_id
        self._execution_id = context.execution.id
        self._executions = api.executions(self._organization)
        self._use_file_history = use_file_history
        self._skipped: dict[str, int] = {}
        self._left_out = LeftOut()

    def run(self, source: Source, file_data: WorkerFileData, max_files: int | None) -> OrchestrationResult:
        """List, register, start, send. A source that cannot be listed ends the execution in ERROR with its reason.

        Raises ``DependencyError`` when the backend stays unavailable or this machine has a fault; a task that is sent
        again continues from there.
        """
        try:
            if self._context.execution.retry_of is not None:
                # The files of a retry are registered already: nothing is listed.
                return self._send(file_data, self._context.execution.total_files, None)
            self._left_out = source.left_out
            total, listed, stop, started = self._register(source, file_data, max_files)
            if stop:
                log.info("orchestration.skipped", reason="already_final")
                return self._result("skipped", total=total, final=True)
            if total == 0:
                return self._nothing_to_do(listed, file_data)
            return self._send(file_data, total, started)
        except DocfleetError as error:
            if isinstance(error, DependencyError) and not isinstance(error, MachineTrouble):
                raise
            return self.fail(error)

    def fail(self, error: DocfleetError) -> OrchestrationResult:
        """End the execution in ERROR with this cause, unless another orchestrator has sent its batches. For a fault of
        this machine it does not end: it waits for the next attempt, and ``MachineTrouble`` is raised."""
        trouble = machine_trouble(error)
        if trouble is not None:
            WorkflowLogger.warn(LogStage.SOURCE, f"the source is listed later: {trouble.message}")
            self._executions.put_off(self._execution_id, wait_after(trouble))
            raise trouble
        log.error("orchestration.failed", code=error.code, error=error.message)
        WorkflowLogger.error(LogStage.SOURCE, error.message)
        request = FinalizeRequest(error=error.message, error_code=error.code)
        after = self._executions.finalize(self._execution_id, request)
        return self._result("error", error=error.message, final=after.status.is_final)

    def _register(
        self, source: Source, file_data: WorkerFileData, max_files: int | None
    ) -> tuple[int, int, bool, tuple[StartRequest, StartResponse] | None]:
        """Write the stream as rows, page by page. Returns files registered, files listed, whether to stop, and the
        start, if a page included it."""
        total = listed = 0
        started = None
        for number, page in enumerate(itertools.batched(_listing(source), REGISTER_PAGE), start=1):
            listed += len(page)
            point("orchestrate.listed")
            # A first page that is not full is the complete listing: it starts the execution in the same call.
            start = self._plan(file_data, len(page)) if number == 1 and len(page) < REGISTER_PAGE else None
            answer = self._executions.register(
                self._execution_id,
                RegisterRequest(
                    page=number,
                    files=list(page),
                    limit=max_files,
                    start=start,
                    use_file_history=self._use_file_history,
                ),
            )
            point("orchestrate.registered")
            total = answer.total_files
            if start is not None and answer.started is not None:
                started = start, answer.started
            for reason, count in answer.skipped.items():
                self._skipped[reason] = self._skipped.get(reason, 0) + count
            if answer.stop:
                return total, listed, True, None
            if answer.full:
                break
        log.info("source.listed", listed=listed, registered=total, skipped=self._skipped | self._left_out.counts)
        WorkflowLogger.info(LogStage.SOURCE, _listed(listed, total, self._skipped))
        for line in _left_out(self._left_out):
            WorkflowLogger.warn(LogStage.SOURCE, line)
        return total, listed, False, started

    def _nothing_to_do(self, listed: int, file_data: WorkerFileData) -> OrchestrationResult:
        reason = EmptyReason.ALL_FILTERED if listed else EmptyReason.NO_MATCH
        request = FinalizeRequest(empty_reason=reason, left_out=self._left_out)
        after = self._executions.finalize(self._execution_id, request)
        if after.total_files and not after.status.is_final:
            # Another orchestrator registered files and died: their batches still have to be sent.
            return self._send(file_data, after.total_files, None)
        log.info("execution.empty", reason=reason.value)
        return self._result("completed", final=after.status.is_final)

    def _plan(self, file_data: WorkerFileData, total: int) -> StartRequest:
        """How ``total`` files are processed. Planned once per run, before there are batches; a batch only looks up its
        files."""
        return StartRequest(
            batch_count=batch_count(total, self._parallel()) if total > 1 else 1,
            q_file_no_list=create_workflow_file_data_with_manual_review(file_data, total).q_file_no_list,
            left_out=self._left_out,
            slots=self._api.settings.parallel_batches,
        )

    def _send(
        self,
        file_data: WorkerFileData,
        total: int,
        started: tuple[StartRequest, StartResponse] | None,
    ) -> OrchestrationResult:
        if started is None:
            plan = self._plan(file_data, total)
            started = plan, self._executions.start(self._execution_id, plan)
        plan, answer = started
        if answer.status == "skipped":
            log.info("orchestration.skipped", reason=answer.reason)
            return self._result("skipped", total=total, final=answer.reason in _ENDED)
        file_data = create_workflow_file_data_with_manual_review(file_data, total)
        if self._use_file_history is not None:
            file_data.use_file_history = self._use_file_history
        point("orchestrate.started")
        number = plan.batch_count if answer.batches is None else answer.batches
        if number == 0:
            log.info("execution.parked", files=total)
            WorkflowLogger.info(
                LogStage.INITIALIZE, f"{total} files wait: your organization has as many batches open as it may have"
            )
            return self._result("orchestrated", total=total)
        self._dispatch(create_batches(file_data, number, total), file_data)
        point("orchestrate.sent")
        log.info("execution.dispatched", files=total, batches=number)
        batches = f"in {number} batches" if number > 1 else "in one batch"
        WorkflowLogger.info(LogStage.INITIALIZE, f"{total} files sent {batches}")
        return self._result("orchestrated", total=total, batches=number)

    def _dispatch(self, batches: list[FileBatchData], file_data: WorkerFileData) -> None:
        queue = self._queues.batches.value
        if len(batches) == 1:
            # A single batch needs no chord: it calls the callback itself, and no result has to be kept.
            self._app.send_task(
                TaskName.PROCESS_FILE_BATCH.value, args=[batches[0].to_dict()], queue=queue, ignore_result=True
            )
            return
        signatures = [
            self._app.signature(TaskName.PROCESS_FILE_BATCH.value, args=[batch.to_dict()], queue=queue, app=self._app)
            for batch in batches
        ]
        callback = CallbackTaskData(
            execution_id=self._execution_id, organization_id=self._organization, pipeline_id=file_data.pipeline_id
        )
        WorkflowOrchestrationUtils.create_chord_execution(
            batch_tasks=signatures,
            callback_task_name=self._queues.callback_task.value,
            callback_kwargs=callback.to_dict(),
            callback_queue=self._queues.callback.value,
            app_instance=self._app,
        )

    def _parallel(self) -> int:
        """Batches of a run: the organization's setting, else the file-processing slots."""
        value = self._api.organization(self._organization).configuration(MAX_PARALLEL_FILE_BATCHES)
        return int(value) if value else self._api.settings.parallel_batches

    def _result(
        self, status: str, *, total: int = 0, batches: int = 0, error: str | None = None, final: bool = False
    ) -> OrchestrationResult:
        return OrchestrationResult(
            status=status,
            execution_id=self._execution_id,
            total_files=total,
            batches_created=batches,
            skipped=self._skipped,
            error=error,
            final=final,
        )


def _listed(listed: int, registered: int, skipped: dict[str, int]) -> str:
    left_out = ", ".join(f"{number} {reason}" for reason, number in skipped.items() if number)
    return f"{listed} files found, {registered} to process" + (f"; left out: {left_out}" if left_out else "")


def _left_out(left_out: LeftOut) -> Iterator[str]:
    """A line for each reason of the listing, with the first paths."""
    for reason, number in left_out.counts.items():
        paths = left_out.examples.get(reason, [])
        more = ", …" if number > len(paths) else ""
        yield f"{number} {skip_words(reason)}: {', '.join(paths)}{more}"


def _listing(source: Source) -> Iterator[FileHashData]:
    """The source's files. A fault of the connector ends the execution at once, instead of retries of the task."""
    try:
        yield from source.files()
    except DocfleetError:
        raise
    except SoftTimeLimitExceeded:
        raise SourceError(
            "the source could not be listed within the task's time limit: "
            "raise GENERAL_TASK_SOFT_TIME_LIMIT, or list fewer folders"
        ) from None
    except Exception as error:
        log.exception("source.crashed")
        raise SourceError(f"the source could not be listed: {type(error).__name__}: {error}") from error
