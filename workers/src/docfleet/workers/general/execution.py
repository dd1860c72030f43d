"""An ETL or TASK execution: its source connector into the orchestrator."""

from __future__ import annotations

from typing import Any

import msgspec
from celery import current_app

from docfleet.core.errors import DocfleetError
from docfleet.core.files import WorkerFileData
from docfleet.workers.shared.workflow.connectors.source import ConnectorSource
from docfleet.workers.shared.workflow.execution.context import WorkerExecutionContext
from docfleet.workers.shared.workflow.execution.orchestration import ETL_QUEUES, Orchestrated, Orchestrator


def orchestrate(
    organization_id: str, workflow_id: str, execution_id: str, *, scheduled: bool, pipeline_id: str | None
) -> dict[str, Any]:
    """List the source and send the batches; the ``Orchestrated`` as a dict."""
    context, api = WorkerExecutionContext.setup_execution_context(organization_id, execution_id)
    file_data = WorkerFileData(
        workflow_id=context.execution.workflow_id,
        execution_id=execution_id,
        organization_id=organization_id,
        pipeline_id=pipeline_id or context.execution.pipeline_id,
        scheduled=scheduled,
        use_file_history=context.use_file_history,
        manual_review_config=context.manual_review,
        tags=context.execution.tags,
    )
    orchestrator = Orchestrator(current_app, api, context, ETL_QUEUES)
    built: dict[str, Any] = msgspec.to_builtins(_run(orchestrator, context.source_config, file_data))
    return built


def _run(orchestrator: Orchestrator, source_config: Any, file_data: WorkerFileData) -> Orchestrated:
    try:
        source = ConnectorSource(source_config)
    except DocfleetError as error:
        return orchestrator.fail(error)
    try:
        return orchestrator.run(source, file_data, source.options.max_files)
    finally:
        source.close()
