"""Doubles of what one batch in work needs."""

from __future__ import annotations

from docfleet.core.batch_calls import FileClaim, RenewRequest, RenewResponse, ReportRequest, ReportResponse
from docfleet.core.execution import (
    DestinationConfig,
    ExecutionContext,
    ExecutionInfo,
    OrganizationContext,
    SourceConfig,
    ToolInstance,
    WorkflowDefinition,
)
from docfleet.core.files import FileHashData
from docfleet.core.status import ExecutionStatus


class StoppableBackend:
    """A file client's double: an execution that somebody stopped, or not yet."""

    def __init__(self) -> None:
        self.stopping = False
        self.renewals = 0
        self.reports: list[ReportRequest] = []

    def renew(self, execution_id: str, request: RenewRequest) -> RenewResponse:
        self.renewals += 1
        return RenewResponse(stop=self.stopping)

    def report(self, execution_id: str, request: ReportRequest) -> ReportResponse:
        self.reports.append(request)
        return ReportResponse(stop=self.stopping)


def claims(*names: str) -> list[FileClaim]:
    return [FileClaim(file_execution_id=name, attempt=1, file=FileHashData(name, name)) for name in names]


CONTEXT = ExecutionContext(
    execution=ExecutionInfo(id="e", workflow_id="w", status=ExecutionStatus.EXECUTING),
    workflow_definition=WorkflowDefinition(workflow_id="w", workflow_name="n"),
    source_config=SourceConfig(connector_id="local"),
    destination_config=DestinationConfig(),
    organization_context=OrganizationContext(organization_id="o"),
    tool_instances=[ToolInstance(id="i", tool_id="t", step=1)],
)
