"""The worker's part of the end of an execution."""

from __future__ import annotations

from typing import Any

import msgspec
import structlog

from docfleet.core.batch_calls import FinalizeRequest
from docfleet.core.faults import point
from docfleet.core.results import aggregate
from docfleet.workers.shared.workflow.execution.context import WorkerExecutionContext

log = structlog.get_logger()


def complete(results: list[Any], execution_id: str, organization_id: str) -> dict[str, Any]:
    """Finalize, and delete the execution's working files once it is final. Safe to run twice."""
    api = WorkerExecutionContext.bind(organization_id, execution_id)
    batches = aggregate(results)
    for error in batches.errors:
        log.warning("batch.reported_error", error=error)
    point("callback.before")
    final = api.executions(organization_id).finalize(execution_id, FinalizeRequest())
    point("callback.finalized")
    log.info(
        "execution.finalize",
        status=final.status.value,
        finalized=final.finalized,
        open_files=final.open_files,
        total=final.total_files,
        failed=final.failed_files,
        batches=batches.batches_processed,
    )
    if final.status.is_final and final.workflow_id:
        WorkerExecutionContext.delete_files(api, organization_id, final.workflow_id, execution_id)
    built: dict[str, Any] = msgspec.to_builtins(final)
    return built
