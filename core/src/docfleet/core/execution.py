"""The context of an execution: all that a worker has to know about it, in one answer of the backend.

``ExecutionContext`` keeps the keys of Unstract's ``GET v1/workflow-execution/{id}/`` (at 6b916eac) and adds what an
orchestrator or a batch would otherwise request one by one. All times are seconds. The answer does not grow with the
number of files of the execution.
"""

from __future__ import annotations

from typing import Any

import msgspec

from docfleet.core.files import Tag, WorkerFileData
from docfleet.core.names import ExecutionQueues, execution_queues
from docfleet.core.review import ManualReviewConfig
from docfleet.core.status import EmptyReason, ExecutionStatus
from docfleet.core.wire import Wire


class ExecutionInfo(Wire):
    """The execution's row. Times are ISO 8601 in UTC. ``retry_of`` is the ended execution whose files it repeats;
    they are registered already."""

    id: str
    workflow_id: str
    status: ExecutionStatus
    workflow_name: str = ""
    pipeline_id: str | None = None
    task_id: str | None = None
    execution_mode: str = "QUEUE"
    execution_method: str = "DIRECT"
    execution_type: str = "COMPLETE"
    execution_log_id: str = ""
    result_acknowledged: bool = False
    total_files: int = 0
    successful_files: int = 0
    failed_files: int = 0
    stopped_files: int = 0
    skipped_files: int = 0
    error_message: str = ""
    empty_reason: EmptyReason | None = None
    attempts: int = 0
    retry_of: str | None = None
    execution_time: float = 0.0
    created_at: str = ""
    modified_at: str = ""
    tags: list[Tag] = []


class WorkflowDefinition(Wire):
    """The workflow an execution runs. ``workflow_type`` is ETL, TASK, API or DEFAULT."""

    workflow_id: str
    workflow_name: str
    workflow_type: str = "DEFAULT"
    description: str = ""
    is_active: bool = True


class SourceConfig(Wire):
    """Where the files are. ``connector_settings`` holds decrypted credentials: in memory only."""

    type: str = "general_workflow"
    connection_type: str = "FILESYSTEM"
    is_api: bool = False
    source_settings: dict[str, Any] = {}
    connector_id: str | None = None
    connector_name: str | None = None
    connector_settings: dict[str, Any] = {}


class DestinationConfig(Wire):
    """Where results go. ``connector_settings`` holds decrypted credentials: in memory only."""

    connection_type: str = "FILESYSTEM"
    settings: dict[str, Any] = {}
    is_api: bool = False
    use_file_history: bool = True
    connector_id: str | None = None
    connector_name: str | None = None
    connector_settings: dict[str, Any] = {}


class ToolInstance(Wire):
    """One step of the workflow. ``metadata`` is the tool's settings, already validated."""

    id: str
    tool_id: str
    step: int
    version: str = ""
    metadata: dict[str, Any] = {}


class OrganizationContext(Wire):
    """The organization of the execution. ``settings`` are the organization's overrides, by configuration key."""

    organization_id: str
    organization_name: str = ""
    settings: dict[str, Any] = {}


class ExecutionOptions(Wire):
    """The options of an API call that concern tools and review."""

    llm_profile_id: str | None = None
    custom_data: dict[str, Any] | None = None
    hitl_queue_name: str | None = None
    hitl_packet_id: str | None = None


class ExecutionContext(Wire):
    """All that a worker has to know about an execution."""

    execution: ExecutionInfo
    workflow_definition: WorkflowDefinition
    source_config: SourceConfig
    destination_config: DestinationConfig
    organization_context: OrganizationContext
    tool_instances: list[ToolInstance] = []
    manual_review: ManualReviewConfig = msgspec.field(default_factory=ManualReviewConfig)
    use_file_history: bool = True
    options: ExecutionOptions = msgspec.field(default_factory=ExecutionOptions)

    @property
    def queues(self) -> ExecutionQueues:
        """The queues its messages go to."""
        return execution_queues(is_api=self.source_config.is_api)

    def file_data(self, *, scheduled: bool = False, pipeline_id: str | None = None) -> WorkerFileData:
        """What the batches of this execution share. ``pipeline_id`` is needed where the execution's row has none."""
        return WorkerFileData.of(
            self.execution,
            organization_id=self.organization_context.organization_id,
            pipeline_id=pipeline_id,
            scheduled=scheduled,
            use_file_history=self.use_file_history,
            manual_review_config=self.manual_review,
            tags=self.execution.tags,
            **msgspec.structs.asdict(self.options),
        )
