"""The worker's part of the end of an execution."""

from __future__ import annotations

from typing import Any

import msgspec
import structlog

from docfleet.core.batch_calls import FinalizeRequest, FinalizeResponse
from docfleet.core.errors import InvalidInput
from docfleet.core.faults import point
from docfleet.core.results import aggregate
from docfleet.workers.shared.workflow.execution.context import WorkerExecutionContext

log = structlog.get_logger()


def complete(results: Any, execution_id: str, organization_id: str) -> dict[str, Any]:
    """Finalize, and delete the execution's working files once it is final. Safe to run twice.

    ``results`` are those of all batches; without any it is not known that they have ended. Raises ``InvalidInput``.
    """
    api = WorkerExecutionContext.bind(organization_id, execution_id)
    if not isinstance(results, list | tuple):
        raise InvalidInput(f"the results of the batches have to be a list, not {type(results).__name__}")
    batches = aggregate(list(results))
    for error in batches.errors:
        log.warning("batch.reported_error", error=error)
    point("callback.before")
    final = api.executions(organization_id).finalize(execution_id, FinalizeRequest(batches_ended=bool(results)))
    point("callback.finalized")
    log.info(
        "execution.finalize",
        status=final.status.value,
        finalized=final.finalized,
        open_files=final.open_files,
        total=final.total_files,
        failed=final.failed_files,
        batches=batches.batches_processed,
        waits_for=None if final.status.is_final else _open_work(final),
    )
    if final.status.is_final and final.workflow_id:
        WorkerExecutionContext.delete_files(api, organization_id, final.workflow_id, execution_id)
    built: dict[str, Any] = msgspec.to_builtins(final)
    return built


def _open_work(answer: FinalizeResponse) -> str:
    """What an execution still waits for that its callback could not end."""
    if answer.open_files:
        return f"{answer.open_files} files that are not done"
    return "the listing of its source" if not answer.total_files else "its batches, which are not sent"
