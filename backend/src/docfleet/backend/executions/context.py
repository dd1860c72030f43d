"""The execution's context: everything a worker needs, in one answer."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from docfleet.backend.executions import repository
from docfleet.backend.files.counts import count_files
from docfleet.backend.organizations import repository as organizations
from docfleet.backend.platform.db import Record
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.workflows import repository as workflows
from docfleet.core.execution import (
    DestinationConfig,
    ExecutionContext,
    ExecutionOptions,
    OrganizationContext,
    SourceConfig,
    WorkflowDefinition,
)
from docfleet.core.names import API_CONNECTION_TYPES
from docfleet.core.review import ManualReviewConfig
from docfleet.tools.registry import ToolRegistry


def build(
    connection: Connection,
    cipher: Cipher,
    organization_id: str,
    execution_id: str,
    tools: ToolRegistry | None = None,
) -> ExecutionContext:
    """The context. It holds decrypted credentials: for workers only.

    With ``tools`` the steps have the tool versions that are installed now, instead of those at the time the workflow
    was applied. Raises ``NotFound``.
    """
    execution = repository.find(connection, organization_id, execution_id)
    workflow = workflows.find(connection, organization_id, execution.workflow_id)
    organization = organizations.find(connection, organization_id)
    endpoints = workflows.endpoints(connection, workflow.id)
    counts = None if repository.is_final(execution) else count_files(connection, execution_id)
    return ExecutionContext(
        execution=repository.describe(execution, workflow.workflow_name, counts),
        workflow_definition=WorkflowDefinition(
            workflow_id=workflow.id,
            workflow_name=workflow.workflow_name,
            workflow_type=workflow.deployment_type,
            description=workflow.description,
            is_active=workflow.is_active,
        ),
        source_config=_source(cipher, endpoints.get("SOURCE"), execution.pipeline_id),
        destination_config=_destination(cipher, endpoints.get("DESTINATION"), execution.use_file_history),
        organization_context=OrganizationContext(
            organization_id=organization_id,
            organization_name=organization.name if organization is not None else "",
            settings=dict(organizations.settings(connection, organization_id)),
        ),
        tool_instances=workflows.steps(connection, workflow.id, tools),
        manual_review=msgspec.convert(workflow.manual_review, ManualReviewConfig),
        use_file_history=execution.use_file_history,
        options=msgspec.convert(execution.options or {}, ExecutionOptions),
    )


def _source(cipher: Cipher, endpoint: Record | None, pipeline_id: str | None) -> SourceConfig:
    if endpoint is None:
        return SourceConfig(connection_type="NONE")
    return SourceConfig(
        type="pipeline" if pipeline_id else "general_workflow",
        connection_type=endpoint.connection_type,
        is_api=endpoint.connection_type in API_CONNECTION_TYPES,
        source_settings=endpoint.configuration,
        connector_id=endpoint.connector_id,
        connector_name=endpoint.connector_name,
        connector_settings=workflows.decrypted_settings(cipher, endpoint),
    )


def _destination(cipher: Cipher, endpoint: Record | None, use_file_history: bool) -> DestinationConfig:
    if endpoint is None:
        return DestinationConfig(connection_type="NONE", use_file_history=use_file_history)
    return DestinationConfig(
        connection_type=endpoint.connection_type,
        settings=endpoint.configuration,
        is_api=endpoint.connection_type in API_CONNECTION_TYPES,
        use_file_history=use_file_history,
        connector_id=endpoint.connector_id,
        connector_name=endpoint.connector_name,
        connector_settings=workflows.decrypted_settings(cipher, endpoint),
    )
