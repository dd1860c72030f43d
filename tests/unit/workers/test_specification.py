"""The names of the specification, written here as it writes them: they exist, and do what it says."""

from __future__ import annotations

import importlib
import inspect
import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, signals

from docfleet.core.errors import InvalidInput
from docfleet.core.execution import ExecutionContext
from docfleet.core.files import FileProcessingUtils
from docfleet.core.names import TaskName, WorkerType
from docfleet.core.review import ManualReviewConfig
from docfleet.workers import launch
from docfleet.workers.shared.clients.api import InternalApi
from docfleet.workers.shared.infrastructure.celery.builder import WorkerBuilder
from docfleet.workers.shared.infrastructure.config.registry import WORKERS
from docfleet.workers.shared.infrastructure.context import StateStore
from docfleet.workers.shared.infrastructure.process.heartbeat import HeartbeatKeeper
from docfleet.workers.shared.models import BatchExecutionResult, CallbackTaskData, FileBatchData, WorkerFileData
from docfleet.workers.shared.workflow.execution import context as execution_context
from docfleet.workers.shared.workflow.execution.context import WorkerExecutionContext
from docfleet.workers.shared.workflow.execution.orchestration import WorkflowOrchestrationUtils
from docfleet.workers.shared.workflow.execution.review import create_workflow_file_data_with_manual_review
from tests.unit.workers.shared.workflow.execution.doubles import CONTEXT

CLIENTS = {
    "execution_client": ("ExecutionClient", "executions"),
    "file_client": ("FileClient", "files"),
    "workflow_client": ("WorkflowClient", "workflows"),
    "tool_client": ("ToolClient", "tools"),
    "organization_client": ("OrganizationClient", "organization"),
    "webhook_client": ("WebhookClient", "webhooks"),
    "log_client": ("LogClient", ""),
}
"""Module, its class, and where ``InternalApi`` has it."""
TASKS = {
    "api_deployment": ["async_execute_bin_api", "async_execute_bin"],
    "general": ["async_execute_bin_general", "async_execute_bin"],
    "file_processing": ["process_file_batch"],
    "callback": ["process_batch_callback", "process_batch_callback_api"],
    "log_consumer": ["logs_consumer"],
    "notification": ["send_webhook_notification", "process_notification", "priority_notification"],
    "scheduler": ["execute_pipeline_task", "execute_pipeline_task_v2"],
}


def test_the_state_store_holds_what_a_task_sets_and_forgets_it() -> None:
    StateStore.set("LOG_EVENTS_ID", "channel")
    assert StateStore.get("LOG_EVENTS_ID") == "channel"
    StateStore.clear_all()
    assert StateStore.get("LOG_EVENTS_ID") is None


def test_the_context_of_an_execution_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    organization_id, execution_id, workflow_id = "org", str(uuid.uuid4()), CONTEXT.execution.workflow_id
    asked: list[tuple[str, str]] = []

    def context(execution: str) -> ExecutionContext:
        asked.append((organization_id, execution))
        return CONTEXT

    api: Any = SimpleNamespace(workflows=lambda organization: SimpleNamespace(context=context))
    monkeypatch.setattr(execution_context, "internal_api", lambda: api)
    with StateStore.scope():
        config, api_client = WorkerExecutionContext.setup_execution_context(organization_id, execution_id, workflow_id)
        assert (config, api_client) == (CONTEXT, api) and asked == [(organization_id, execution_id)]
        assert StateStore.get("ORGANIZATION_ID") == organization_id
        with pytest.raises(InvalidInput, match="is not the one of execution"):
            WorkerExecutionContext.setup_execution_context(organization_id, execution_id, "another")


@pytest.mark.parametrize("module", CLIENTS)
def test_every_client_is_a_module_whose_class_is_used(module: str) -> None:
    name, attribute = CLIENTS[module]
    client = getattr(importlib.import_module(f"docfleet.workers.shared.clients.{module}"), name)
    methods = [value for key, value in vars(client).items() if callable(value) and not key.startswith("_")]
    assert methods, "it calls nothing"
    source = (
        inspect.getsource(InternalApi)
        if attribute
        else inspect.getsource(importlib.import_module("docfleet.workers.log_consumer.delivery"))
    )
    assert f"{name}(" in source


def test_entries_of_a_message_become_file_hash_data() -> None:
    hash_values_of_files = {"a.pdf": {"file_name": "a.pdf", "file_path": "in/a.pdf", "provider_file_uuid": "etag"}}
    converted_files = FileProcessingUtils.convert_file_hash_data(hash_values_of_files)
    for file_data in converted_files.values():
        assert file_data.provider_file_uuid == "etag"


def test_files_for_review_are_drawn_once_for_all_batches() -> None:
    worker_file_data = WorkerFileData(
        workflow_id="w",
        execution_id=str(uuid.uuid4()),
        organization_id="o",
        manual_review_config=ManualReviewConfig(review_required=True, review_percentage=30),
    )
    global_file_data = create_workflow_file_data_with_manual_review(worker_file_data=worker_file_data, total_files=20)
    assert len(global_file_data.q_file_no_list) == 6
    again = create_workflow_file_data_with_manual_review(worker_file_data=worker_file_data, total_files=20)
    assert global_file_data == again and worker_file_data.q_file_no_list == []
    decisions = [number in global_file_data.q_file_no_list for number in (1, 2, 3)]
    global_file_data.manual_review_config["file_decisions"] = decisions
    assert global_file_data.manual_review_config["file_decisions"] == decisions


def test_batches_are_sent_as_a_chord_with_a_callback() -> None:
    with Celery(broker="memory://", backend="cache+memory://", set_as_current=False) as app:
        data = WorkerFileData(workflow_id="w", execution_id="e", organization_id="o")
        batches = [FileBatchData(file_data=data, batch_index=index, batch_count=2) for index in range(2)]
        batch_tasks = [
            app.signature(TaskName.PROCESS_FILE_BATCH.value, args=[batch_data.to_dict()], queue="file_processing")
            for batch_data in batches
        ]
        callback_data = CallbackTaskData(execution_id="e", organization_id="o")
        result = WorkflowOrchestrationUtils.create_chord_execution(
            batch_tasks=batch_tasks,
            callback_task_name=TaskName.PROCESS_BATCH_CALLBACK.value,
            callback_kwargs=callback_data.to_dict(),
            callback_queue="file_processing_callback",
            app_instance=app,
        )
        assert result is not None and len(result.parent.results) == 2
    assert BatchExecutionResult().to_dict() == {}


@pytest.mark.parametrize("worker_type", TASKS)
def test_every_worker_type_has_its_tasks(worker_type: str) -> None:
    names = {task.value.rpartition(".")[2] for task in WORKERS[WorkerType(worker_type)].tasks}
    assert set(TASKS[worker_type]) <= names


def test_workers_are_built_and_kept_alive_under_these_names() -> None:
    assert callable(WorkerBuilder.build_celery_app) and "HeartbeatKeeper" in inspect.getsource(launch)
    assert HeartbeatKeeper.__name__ == "HeartbeatKeeper" and signals.worker_process_init.receivers is not None
    text = inspect.getsource(launch)
    assert text.index("GRPC_ENABLE_FORK_SUPPORT") < text.index("import structlog")
    assert 'set_default("GRPC_POLL_STRATEGY", "poll")' in text
