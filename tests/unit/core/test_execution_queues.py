"""One table of queues, and one constructor of the data that a batch shares."""

from __future__ import annotations

import pytest

from docfleet.core.execution import (
    DestinationConfig,
    ExecutionContext,
    ExecutionInfo,
    ExecutionOptions,
    OrganizationContext,
    SourceConfig,
    WorkflowDefinition,
)
from docfleet.core.files import Tag, WorkerFileData
from docfleet.core.names import WORKER_QUEUES, QueueName, WorkerType, execution_queues
from docfleet.core.status import ExecutionStatus


def context(**changes: object) -> ExecutionContext:
    values: dict[str, object] = {
        "execution": ExecutionInfo(
            id="e", workflow_id="w", status=ExecutionStatus.PENDING, pipeline_id="p", tags=[Tag(name="t")]
        ),
        "workflow_definition": WorkflowDefinition(workflow_id="w", workflow_name="n"),
        "source_config": SourceConfig(),
        "destination_config": DestinationConfig(),
        "organization_context": OrganizationContext(organization_id="o"),
    }
    return ExecutionContext(**{**values, **changes})  # type: ignore[arg-type]


def test_every_queue_has_one_consumer() -> None:
    assert sorted(queue for queues in WORKER_QUEUES.values() for queue in queues) == sorted(QueueName)
    assert set(WORKER_QUEUES) == set(WorkerType)


@pytest.mark.parametrize("is_api", [True, False])
def test_what_an_execution_sends_is_consumed(is_api: bool) -> None:
    queues = execution_queues(is_api=is_api)
    orchestrator = WorkerType.API_DEPLOYMENT if is_api else WorkerType.GENERAL
    assert queues.orchestration in WORKER_QUEUES[orchestrator]
    assert queues.batches in WORKER_QUEUES[WorkerType.FILE_PROCESSING]
    assert queues.callback in WORKER_QUEUES[WorkerType.CALLBACK]
    assert context(source_config=SourceConfig(is_api=is_api)).queues is queues


def test_the_queues_of_apis_are_their_own() -> None:
    assert not set(execution_queues(is_api=True)) & set(execution_queues(is_api=False))


def test_the_data_of_a_batch_comes_from_the_execution() -> None:
    options = ExecutionOptions(llm_profile_id="l", custom_data={"a": 1}, hitl_queue_name="q", hitl_packet_id="h")
    data = context(options=options, use_file_history=False).file_data(scheduled=True)
    assert data == WorkerFileData(
        workflow_id="w",
        execution_id="e",
        organization_id="o",
        pipeline_id="p",
        scheduled=True,
        use_file_history=False,
        tags=[Tag(name="t")],
        llm_profile_id="l",
        custom_data={"a": 1},
        hitl_queue_name="q",
        hitl_packet_id="h",
    )


def test_a_message_may_name_the_pipeline() -> None:
    assert context().file_data(pipeline_id="other").pipeline_id == "other"
    assert WorkerFileData.of(context().execution, organization_id="o").pipeline_id == "p"
