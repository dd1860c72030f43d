"""The execution's context: everything a worker asks for, in one answer."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select

from docfleet.backend.executions import repository
from docfleet.backend.organizations import repository as organizations
from docfleet.backend.platform.db import Record
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.tables.connectors import connector_instances
from docfleet.backend.tables.tools import tool_instances
from docfleet.backend.tables.workflows import workflow_endpoints
from docfleet.core.execution import (
    DestinationConfig,
    ExecutionContext,
    ExecutionOptions,
    OrganizationContext,
    SourceConfig,
    ToolInstance,
    WorkflowDefinition,
)
from docfleet.core.review import ManualReviewConfig
from docfleet.tools.registry import ToolRegistry

API_TYPES = ("API", "APPDEPLOYMENT")
_ENDPOINTS = (
    select(
        workflow_endpoints.c.id,
        workflow_endpoints.c.endpoint_type,
        workflow_endpoints.c.connection_type,
        workflow_endpoints.c.configuration,
        connector_instances.c.connector_id,
        connector_instances.c.connector_name,
        connector_instances.c.connector_metadata,
    )
    .outerjoin(connector_instances, connector_instances.c.id == workflow_endpoints.c.connector_instance_id)
    .where(workflow_endpoints.c.workflow_id == bindparam("workflow_id"))
)
_STEPS = (
    select(tool_instances)
    .where(tool_instances.c.workflow_id == bindparam("workflow_id"))
    .order_by(tool_instances.c.step)
)


def build(
    connection: Connection,
    cipher: Cipher,
    organization_id: str,
    execution_id: str,
    tools: ToolRegistry | None = None,
) -> ExecutionContext:
    """The context. Holds opened credentials: it goes to a worker and nowhere else. With ``tools`` the steps have the
    versions that are installed now, not when the workflow was written. Raises ``NotFound``."""
    execution = repository.find(connection, organization_id, execution_id)
    workflow = repository.workflow_of(connection, organization_id, execution.workflow_id)
    organization = organizations.find(connection, organization_id)
    found = endpoints(connection, workflow.id)
    counts = None if repository.is_final(execution) else repository.count(connection, execution_id)
    return ExecutionContext(
        execution=repository.describe(execution, workflow.workflow_name, counts),
        workflow_definition=WorkflowDefinition(
            workflow_id=workflow.id,
            workflow_name=workflow.workflow_name,
            workflow_type=workflow.deployment_type,
            description=workflow.description,
            is_active=workflow.is_active,
        ),
        source_config=_source(cipher, found.get("SOURCE"), execution.pipeline_id),
        destination_config=_destination(cipher, found.get("DESTINATION"), execution.use_file_history),
        organization_context=OrganizationContext(
            organization_id=organization_id,
            organization_name=organization.name if organization is not None else "",
            settings=dict(organizations.settings(connection, organization_id)),
        ),
        tool_instances=steps(connection, workflow.id, tools),
        manual_review=msgspec.convert(workflow.manual_review, ManualReviewConfig),
        use_file_history=execution.use_file_history,
        options=msgspec.convert(execution.options or {}, ExecutionOptions),
    )


def endpoints(connection: Connection, workflow_id: str) -> dict[str, Record]:
    """The workflow's endpoints by type, each with its connector's columns (None without connector)."""
    rows = connection.execute(_ENDPOINTS, {"workflow_id": workflow_id})
    return {row.endpoint_type: row for row in rows}


def opened(cipher: Cipher, endpoint: Record) -> dict[str, Any]:
    """The connector's settings, credentials included."""
    return cipher.open(endpoint.connector_metadata) if endpoint.connector_metadata else {}


def steps(connection: Connection, workflow_id: str, tools: ToolRegistry | None = None) -> list[ToolInstance]:
    """The workflow's tools in order, of the versions in ``tools`` where given and known there."""
    rows = connection.execute(_STEPS, {"workflow_id": workflow_id})
    return [
        ToolInstance(
            id=row.id,
            tool_id=row.tool_id,
            step=row.step,
            version=row.version if tools is None or row.tool_id not in tools else tools.get(row.tool_id).version,
            metadata=row._mapping["metadata"],
        )
        for row in rows
    ]


def _source(cipher: Cipher, endpoint: Record | None, pipeline_id: str | None) -> SourceConfig:
    if endpoint is None:
        return SourceConfig(connection_type="NONE")
    return SourceConfig(
        type="pipeline" if pipeline_id else "general_workflow",
        connection_type=endpoint.connection_type,
        is_api=endpoint.connection_type in API_TYPES,
        source_settings=endpoint.configuration,
        connector_id=endpoint.connector_id,
        connector_name=endpoint.connector_name,
        connector_settings=opened(cipher, endpoint),
    )


def _destination(cipher: Cipher, endpoint: Record | None, use_file_history: bool) -> DestinationConfig:
    if endpoint is None:
        return DestinationConfig(connection_type="NONE", use_file_history=use_file_history)
    return DestinationConfig(
        connection_type=endpoint.connection_type,
        settings=endpoint.configuration,
        is_api=endpoint.connection_type in API_TYPES,
        use_file_history=use_file_history,
        connector_id=endpoint.connector_id,
        connector_name=endpoint.connector_name,
        connector_settings=opened(cipher, endpoint),
    )
