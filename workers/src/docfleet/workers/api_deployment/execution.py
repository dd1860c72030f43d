"""Runs the orchestrator on the files of a call of an API deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from celery import current_app

from docfleet.core.errors import InvalidInput
from docfleet.core.files import FileProcessingUtils
from docfleet.core.names import execution_queues
from docfleet.workers.shared.workflow.connectors.source import UploadSource
from docfleet.workers.shared.workflow.execution.context import WorkerExecutionContext
from docfleet.workers.shared.workflow.execution.execution_message import ExecutionMessage
from docfleet.workers.shared.workflow.execution.orchestration import Orchestrator


def orchestrate(message: ExecutionMessage) -> dict[str, Any]:
    """Register the files of the message and send the batches. Returns the ``OrchestrationResult`` as a dict."""
    context, api = WorkerExecutionContext.setup_execution_context(
        message.organization_id, message.execution_id, message.workflow_id
    )
    if not context.source_config.is_api:
        raise InvalidInput(
            f"the workflow of execution {message.execution_id} lists a source: "
            f"send it to the queue {execution_queues(is_api=False).orchestration.value}"
        )
    files = list(FileProcessingUtils.convert_file_hash_data(message.files).values())
    orchestrator = Orchestrator(
        current_app, api, context, execution_queues(is_api=True), use_file_history=message.use_file_history
    )
    if not files:
        done = orchestrator.fail(InvalidInput("the call brought no files: send them to the address of the API"))
    else:
        source = UploadSource(Path(api.settings.execution_storage_root), context, files)
        done = orchestrator.run(source, context.file_data(), None)
    if done.final:  # no batch, so no callback that would delete the uploads
        WorkerExecutionContext.delete_files(
            api, message.organization_id, context.execution.workflow_id, message.execution_id
        )
    built: dict[str, Any] = msgspec.to_builtins(done)
    return built
