"""The messages that the backend sends about an execution."""

from __future__ import annotations

from typing import Any

import msgspec

from docfleet.backend.platform.db import Record
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.core.files import FileBatchData, FileHashData, WorkerFileData
from docfleet.core.names import ExecutionQueues, QueueName, TaskName, WorkflowType, execution_queues
from docfleet.core.results import CallbackTaskData


class TaskMessage(msgspec.Struct, frozen=True):
    """One task to send once the transaction is committed."""

    task: TaskName
    queue: QueueName
    args: list[Any]
    kwargs: dict[str, Any] = {}

    def send(self, dispatcher: Dispatcher) -> None:
        """Send it. Raises ``BrokerUnavailable``."""
        dispatcher.send(self.task, self.args, self.kwargs, self.queue)


def orchestrate(execution: Record, workflow_type: str) -> TaskMessage:
    """``async_execute_bin`` for the execution; runs of an API go to their own queue."""
    return TaskMessage(
        task=TaskName.ASYNC_EXECUTE_BIN,
        queue=_queues(workflow_type).orchestration,
        args=[execution.organization_id, execution.workflow_id, execution.id, uploaded(execution.upload_manifest)],
        kwargs={
            "scheduled": execution.execution_method == "SCHEDULED",
            "execution_mode": None,
            "pipeline_id": execution.pipeline_id,
            "log_events_id": execution.execution_log_id or None,
            "use_file_history": execution.use_file_history,
            "transport": "celery",
            **(execution.options or {}),
        },
    )


def uploaded(manifest: list[dict[str, Any]] | None) -> dict[str, dict[str, Any]]:
    """The files of an API's call in its message, by display name and in the call's order.

    Content that was uploaded twice appears once.
    """
    return {
        item["name"]: FileHashData(
            file_name=item["name"],
            # A refused file is not staged; its row still needs a path of its own.
            file_path=item["staged"] or f"refused/{item['file_hash']}",
            file_hash=item["file_hash"],
            file_size=item["file_size"],
            mime_type=item["mime_type"],
            source_connection_type=WorkflowType.API.value,
            rejection=item["rejection"],
        ).to_dict()
        for item in manifest or []
        if item["same_as"] is None
    }


def batch(
    execution: Record,
    workflow_type: str,
    files: list[tuple[str, FileHashData]],
    *,
    index: int = 0,
    count: int = 1,
) -> TaskMessage:
    """``process_file_batch`` for these files. When none are named: for slice ``index`` of ``count``, then all free."""
    data = FileBatchData(
        file_data=WorkerFileData.of(
            execution,
            organization_id=execution.organization_id,
            scheduled=execution.execution_method == "SCHEDULED",
            execution_mode=execution.execution_mode,
            use_file_history=execution.use_file_history,
            q_file_no_list=execution.q_file_no_list,
        ),
        files=files,
        batch_index=index,
        batch_count=count,
    )
    return TaskMessage(
        task=TaskName.PROCESS_FILE_BATCH,
        queue=_queues(workflow_type).batches,
        args=[data.to_dict()],
    )


def callback(execution: Record, workflow_type: str) -> TaskMessage:
    """``process_batch_callback`` for an execution that ended without a callback: it deletes the working files."""
    data = CallbackTaskData(
        execution_id=execution.id, organization_id=execution.organization_id, pipeline_id=execution.pipeline_id
    )
    queues = _queues(workflow_type)
    return TaskMessage(task=queues.callback_task, queue=queues.callback, args=[[]], kwargs=data.to_dict())


def _queues(workflow_type: str) -> ExecutionQueues:
    return execution_queues(is_api=workflow_type == WorkflowType.API)
