"""Workflows in pieces: definition, endpoints, tools."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from docfleet.backend.platform.db import Database, Record, iso
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.workflows import repository
from docfleet.core.errors import DocfleetError, ToolUnknown
from docfleet.core.names import API_CONNECTION_TYPES
from docfleet.tools.registry import ToolRegistry


def _connector(cipher: Cipher, endpoint: Record) -> dict[str, Any] | None:
    if endpoint.connector_id is None:
        return None
    return {
        "connector_id": endpoint.connector_id,
        "connector_name": endpoint.connector_name,
        "connector_metadata": repository.decrypted_settings(cipher, endpoint),
    }


def _endpoint(cipher: Cipher, endpoint: Record | None, kind: str) -> dict[str, Any]:
    if endpoint is None:
        return {"endpoint_id": "", "endpoint_type": kind, "connection_type": "NONE", "configuration": {}}
    described = {
        "endpoint_id": endpoint.id,
        "endpoint_type": kind,
        "connection_type": endpoint.connection_type,
        "configuration": endpoint.configuration,
    }
    connector = _connector(cipher, endpoint)
    return described if connector is None else {**described, "connector_instance": connector}


@get("/workflow-manager/workflow/{workflow_id:uuid}", sync_to_thread=True)
def get_definition(
    workflow_id: FromPath[UUID],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """The definition; ``configuration`` holds the endpoint's, credentials are in ``connector_instance``."""
    with database.reading() as connection:
        row = repository.find(connection, organization_id, str(workflow_id))
        endpoints = repository.endpoints(connection, row.id)
    return {
        "id": row.id,
        "workflow_id": row.id,
        "workflow_name": row.workflow_name,
        "workflow_type": row.deployment_type,
        "organization_id": organization_id,
        "is_active": row.is_active,
        "created_at": iso(row.created_at),
        "modified_at": iso(row.modified_at),
        "source_config": _endpoint(cipher, endpoints.get("SOURCE"), "SOURCE"),
        "destination_config": _endpoint(cipher, endpoints.get("DESTINATION"), "DESTINATION"),
    }


@get("/workflow-manager/{workflow_id:uuid}/endpoint", sync_to_thread=True)
def get_endpoints(
    workflow_id: FromPath[UUID],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """Both endpoints, null where there is none."""
    with database.reading() as connection:
        repository.find(connection, organization_id, str(workflow_id))
        endpoints = repository.endpoints(connection, str(workflow_id))
    source, destination = endpoints.get("SOURCE"), endpoints.get("DESTINATION")
    return {
        "workflow_id": str(workflow_id),
        "has_api_endpoints": destination is not None and destination.connection_type in API_CONNECTION_TYPES,
        "source_endpoint": None if source is None else _endpoint(cipher, source, "SOURCE"),
        "destination_endpoint": None if destination is None else _endpoint(cipher, destination, "DESTINATION"),
    }


@get("/workflow-manager/workflow/{workflow_id:uuid}/tool-instances", sync_to_thread=True)
def get_tool_instances(
    workflow_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """The steps in order."""
    with database.reading() as connection:
        repository.find(connection, organization_id, str(workflow_id))
        steps = repository.steps(connection, str(workflow_id))
    return {
        "tool_instances": [
            {
                "id": step.id,
                "tool_id": step.tool_id,
                "step": step.step,
                "status": "PENDING",
                "version": step.version,
                "metadata": step.metadata,
                "input": {},
                "output": {},
            }
            for step in steps
        ]
    }


class ValidateBody(msgspec.Struct):
    """The tool instances of a workflow that are to be checked."""

    workflow_id: str
    tool_instances: list[Any] | None = None


@post("/tool-execution/validate", status_code=200, sync_to_thread=True)
def validate_tools(
    data: JSONBody[ValidateBody],
    database: NamedDependency[Database],
    tool_registry: NamedDependency[ToolRegistry],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """Are the steps' settings valid? 200 with ``success: false`` and the reasons when they are not."""
    workflow_id = data.workflow_id
    with database.reading() as connection:
        repository.find(connection, organization_id, workflow_id)
        steps = {step.id: step for step in repository.steps(connection, workflow_id)}
    valid: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for instance_id in data.tool_instances or []:
        step = steps.get(str(instance_id))
        if step is None:
            errors.append({"id": instance_id, "error": "there is no such tool instance in this workflow"})
            continue
        try:
            settings = tool_registry.validate(step.tool_id, step.metadata)
        except DocfleetError as error:
            errors.append({"id": step.id, "tool_id": step.tool_id, "error": error.message})
            continue
        described = {"id": step.id, "tool_id": step.tool_id, "metadata": settings, "step": step.step}
        valid.append({**described, "status": "valid"})
    return {"success": not errors, "validated_instances": valid, "errors": errors, "workflow_id": workflow_id}


@get("/tool-execution/tool/{tool_id:str}", sync_to_thread=True)
def get_tool(tool_id: FromPath[str], tool_registry: NamedDependency[ToolRegistry]) -> dict[str, Any]:
    """A tool of the registry; an unknown one is 200 with ``error``, as in the original."""
    empty = {"tool_id": tool_id, "properties": {}, "image_name": "", "image_tag": "", "version": ""}
    try:
        tool = tool_registry.get(tool_id)
    except ToolUnknown as error:
        return {"tool": {**empty, "name": tool_id, "description": "", "error": error.message}}
    described = {
        "properties": tool.properties,
        "name": tool.properties.get("displayName", tool_id),
        "description": tool.properties.get("description", ""),
        "version": tool.version,
    }
    return {"tool": {**empty, **described}}


handlers = [get_definition, get_endpoints, get_tool_instances, validate_tools, get_tool]
