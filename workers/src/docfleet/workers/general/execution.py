"""Runs the orchestrator on the source connector of an ETL or TASK execution."""

from __future__ import annotations

from typing import Any

import msgspec
import structlog
from celery import current_app

from docfleet.core.errors import DocfleetError, InvalidInput
from docfleet.core.execution import SourceConfig
from docfleet.core.files import WorkerFileData
from docfleet.core.log_events import LogStage
from docfleet.core.names import execution_queues
from docfleet.workers.shared.infrastructure.logging.workflow_log import WorkflowLogger
from docfleet.workers.shared.infrastructure.process.process_settings import settings
from docfleet.workers.shared.workflow.connectors.source import ConnectorSource
from docfleet.workers.shared.workflow.execution.context import WorkerExecutionContext
from docfleet.workers.shared.workflow.execution.execution_message import ExecutionMessage
from docfleet.workers.shared.workflow.execution.orchestration import OrchestrationResult, Orchestrator

log = structlog.get_logger()


def orchestrate(message: ExecutionMessage) -> dict[str, Any]:
    """List the source and send the batches. Returns the ``OrchestrationResult`` as a dict."""
    context, api = WorkerExecutionContext.setup_execution_context(
        message.organization_id, message.execution_id, message.workflow_id
    )
    if context.source_config.is_api:
        raise InvalidInput(
            f"the files of execution {message.execution_id} come with a call of an API: "
            f"send it to the queue {execution_queues(is_api=True).orchestration.value}"
        )
    if message.files:
        WorkflowLogger.warn(
            LogStage.SOURCE, f"{len(message.files)} files of the message are left out: the source is listed instead"
        )
        log.warning("orchestration.files_left_out", files=len(message.files))
    file_data = context.file_data(scheduled=message.scheduled, pipeline_id=message.pipeline_id)
    orchestrator = Orchestrator(
        current_app, api, context, execution_queues(is_api=False), use_file_history=message.use_file_history
    )
    built: dict[str, Any] = msgspec.to_builtins(_run(orchestrator, context.source_config, file_data))
    return built


def _run(orchestrator: Orchestrator, source_config: SourceConfig, file_data: WorkerFileData) -> OrchestrationResult:
    try:
        source = ConnectorSource(source_config, settings().source_still_seconds)
    except DocfleetError as error:
        return orchestrator.fail(error)
    try:
        return orchestrator.run(source, file_data, source.options.max_files)
    finally:
        source.close()
