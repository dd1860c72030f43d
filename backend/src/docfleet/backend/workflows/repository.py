"""Reads of workflows: the row, its endpoints with their connectors, its tools."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, select

from docfleet.backend.platform.db import Record
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.tables.connectors import connector_instances
from docfleet.backend.tables.tools import tool_instances
from docfleet.backend.tables.workflows import workflow_endpoints, workflows
from docfleet.core.errors import NotFound
from docfleet.core.execution import ToolInstance
from docfleet.tools.registry import ToolRegistry

_FIND = select(workflows).where(
    workflows.c.id == bindparam("workflow_id"), workflows.c.organization_id == bindparam("organization_id")
)
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


def find(connection: Connection, organization_id: str, workflow_id: str) -> Record:
    """The workflow's row. Raises ``NotFound``, for another organization's too."""
    row = connection.execute(_FIND, {"workflow_id": workflow_id, "organization_id": organization_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no workflow {workflow_id} in this organization")
    return row


def endpoints(connection: Connection, workflow_id: str) -> dict[str, Record]:
    """The workflow's endpoints by type, each with its connector's columns (None without connector)."""
    rows = connection.execute(_ENDPOINTS, {"workflow_id": workflow_id})
    return {row.endpoint_type: row for row in rows}


def decrypted_settings(cipher: Cipher, endpoint: Record) -> dict[str, Any]:
    """The settings of the endpoint's connector, credentials included."""
    return cipher.decrypt(endpoint.connector_metadata) if endpoint.connector_metadata else {}


def steps(connection: Connection, workflow_id: str, tools: ToolRegistry | None = None) -> list[ToolInstance]:
    """The workflow's tools in order, with the versions of ``tools`` where it is given and has them."""
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
