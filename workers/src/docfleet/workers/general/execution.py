"""Runs the orchestrator on the source connector of an ETL or TASK execution."""

from __future__ import annotations

from typing import Any

import msgspec
from celery import current_app

from docfleet.core.errors import DocfleetError
from docfleet.core.execution import SourceConfig
from docfleet.core.files import WorkerFileData
from docfleet.core.names import execution_queues
from docfleet.workers.shared.workflow.connectors.source import ConnectorSource
from docfleet.workers.shared.workflow.execution.context import WorkerExecutionContext
from docfleet.workers.shared.workflow.execution.orchestration import ExecutionMessage, OrchestrationResult, Orchestrator


def orchestrate(message: ExecutionMessage) -> dict[str, Any]:
    """List the source and send the batches. Returns the ``OrchestrationResult`` as a dict."""
    context, api = WorkerExecutionContext.setup_execution_context(message.organization_id, message.execution_id)
    file_data = context.file_data(scheduled=message.scheduled, pipeline_id=message.pipeline_id)
    orchestrator = Orchestrator(current_app, api, context, execution_queues(is_api=False))
    built: dict[str, Any] = msgspec.to_builtins(_run(orchestrator, context.source_config, file_data))
    return built


def _run(orchestrator: Orchestrator, source_config: SourceConfig, file_data: WorkerFileData) -> OrchestrationResult:
    try:
        source = ConnectorSource(source_config)
    except DocfleetError as error:
        return orchestrator.fail(error)
    try:
        return orchestrator.run(source, file_data, source.options.max_files)
    finally:
        source.close()
