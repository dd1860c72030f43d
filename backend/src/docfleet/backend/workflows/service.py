"""Applying a workflow: check everything, then write all of it."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, delete, insert, select, update

from docfleet.backend.files import history
from docfleet.backend.platform.db import Record, clean, db_now, iso, upsert
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.tables.connectors import connector_instances
from docfleet.backend.tables.deployments import api_deployments
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.pipelines import pipelines
from docfleet.backend.tables.tools import tool_instances
from docfleet.backend.tables.workflows import workflow_endpoints, workflows
from docfleet.backend.workflows import repository
from docfleet.connectors.base import ConnectorInfo, ConnectorMode, table_settings
from docfleet.connectors.registry import connector_info
from docfleet.connectors.settings import connector_settings
from docfleet.core.errors import ConfigurationError, DocfleetError, InvalidInput
from docfleet.core.ids import new_id
from docfleet.core.management.changes import AppliedWorkflow, PlannedWorkflowChange
from docfleet.core.management.workflows import (
    DestinationSpec,
    SourceSpec,
    Workflow,
    WorkflowSpec,
    WorkflowStep,
    WorkflowSummary,
)
from docfleet.core.names import API_CONNECTOR, WorkflowType
from docfleet.core.review import ManualReviewConfig
from docfleet.core.status import OPEN
from docfleet.tools.registry import ToolRegistry

log = structlog.get_logger(__name__)

MASK = "********"
CHANGED = f"{MASK} (changed)"
_NOT_CONFIGURATION = ("connector", "settings")


class CheckedEndpoint(msgspec.Struct):
    """A checked endpoint, ready to be written. An API has no connector, so no ``info``."""

    kind: str
    info: ConnectorInfo | None
    settings: dict[str, Any]
    configuration: dict[str, Any]


def apply(
    connection: Connection,
    cipher: Cipher,
    tools: ToolRegistry,
    organization_id: str,
    spec: WorkflowSpec,
    *,
    dry_run: bool = False,
) -> AppliedWorkflow | PlannedWorkflowChange:
    """Create or replace the workflow of this name; applying the same again changes nothing.

    With ``dry_run`` nothing is written, and the answer has what would change. Raises ``InvalidInput`` naming the
    connector, tool or setting at fault.
    """
    source, destination = _source(spec.source), _destination(spec.destination)
    if (source.info is None) is not (destination.info is None):
        raise InvalidInput("either both source and destination are an API, or neither is: results go to the caller")
    steps = _steps(tools, spec)
    normal = [source, destination, steps, spec.description, spec.use_file_history, spec.max_file_execution_count]
    digest = cipher.digest(msgspec.to_builtins([*normal, spec.manual_review]))
    existing = connection.execute(
        select(workflows)
        .where(workflows.c.organization_id == organization_id, workflows.c.workflow_name == clean(spec.name))
        .with_for_update(key_share=True)
    ).one_or_none()
    values = {
        "description": clean(spec.description),
        "is_active": True,
        "deployment_type": _type(destination).value,
        "use_file_history": spec.use_file_history,
        "max_file_execution_count": spec.max_file_execution_count,
        "manual_review": msgspec.to_builtins(spec.manual_review),
    }
    if existing is not None:
        _keep_its_kind(connection, existing, values["deployment_type"])
    if dry_run:
        parts = {"SOURCE": source, "DESTINATION": destination}
        if existing is None:
            return PlannedWorkflowChange(created=True)
        return _planned(connection, cipher, existing, values, parts, steps)
    if existing is not None and existing.digest == digest:
        return AppliedWorkflow(workflow_id=existing.id, created=False, changed=False)
    values |= {"digest": digest, "modified_at": db_now()}
    if existing is None:
        workflow_id = new_id()
        identity = {"id": workflow_id, "organization_id": organization_id, "workflow_name": clean(spec.name)}
        connection.execute(insert(workflows).values(**identity, created_at=db_now(), **values))
    else:
        workflow_id = existing.id
        _delete_answers(connection, workflow_id)
        connection.execute(update(workflows).where(workflows.c.id == workflow_id).values(**values))
    for endpoint in (source, destination):
        _write_endpoint(connection, cipher, organization_id, workflow_id, endpoint)
    connection.execute(delete(tool_instances).where(tool_instances.c.workflow_id == workflow_id))
    connection.execute(insert(tool_instances), [_tool_row(workflow_id, step) for step in steps])
    log.info("workflow.applied", workflow_id=workflow_id, created=existing is None)
    return AppliedWorkflow(workflow_id=workflow_id, created=existing is None, changed=True)


def _delete_answers(connection: Connection, workflow_id: str) -> None:
    # First the executions that still run: none of them may write an outdated result after the deletion.
    running = executions.c.status.in_([status.value for status in OPEN])
    connection.execute(
        update(executions)
        .where(executions.c.workflow_id == workflow_id, executions.c.api_deployment_id.is_not(None), running)
        .values(use_file_history=False)
    )
    history.delete_results(connection, workflow_id)


def _type(destination: CheckedEndpoint) -> WorkflowType:
    if destination.info is None:
        return WorkflowType.API
    return WorkflowType.ETL if destination.info.mode is ConnectorMode.DATABASE else WorkflowType.TASK


def _keep_its_kind(connection: Connection, existing: Record, kind: str) -> None:
    if existing.deployment_type == kind or WorkflowType.API not in (existing.deployment_type, kind):
        return
    for table, path in ((api_deployments, "deployments"), (pipelines, "pipelines")):
        published = connection.scalar(select(table.c.id).where(table.c.workflow_id == existing.id).limit(1))
        if published is not None:
            raise InvalidInput(
                f"workflow {existing.workflow_name!r} is published as {existing.deployment_type}: it cannot become "
                f"{kind}; give the new one another name, or send DELETE /api/v1/{path}/{published} first"
            )


def _planned(
    connection: Connection,
    cipher: Cipher,
    existing: Record,
    values: dict[str, Any],
    parts: dict[str, CheckedEndpoint],
    steps: list[dict[str, Any]],
) -> PlannedWorkflowChange:
    shown = {"deployment_type": "workflow_type"}
    names = [name for name, value in values.items() if existing._mapping[name] != value]
    before = {shown.get(name, name): existing._mapping[name] for name in names}
    after = {shown.get(name, name): values[name] for name in names}
    present = repository.endpoints(connection, existing.id)
    for kind, part in parts.items():
        row = present.get(kind)
        try:
            old = None if row is None else _stated(cipher, row)
        except ConfigurationError:  # its connector is no longer installed, so its secret settings are unknown
            old = None
        if old != part:
            name = kind.lower()
            before[name] = None if old is None else _shown(old)
            after[name] = _shown(part, None if old is None or old.info != part.info else old.settings)
    keys = ("tool_id", "step", "version", "metadata")
    written = [{key: getattr(step, key) for key in keys} for step in repository.steps(connection, existing.id)]
    if written != steps:
        before["tools"], after["tools"] = _tools(written), _tools(steps)
    return PlannedWorkflowChange(created=False, changed=list(after), before=before, after=after)


def _tools(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"tool": step["tool_id"], "version": step["version"], "settings": step["metadata"]} for step in steps]


def _stated(cipher: Cipher, row: Record) -> CheckedEndpoint:
    info = None if row.connector_id is None else connector_info(row.connector_id)
    return CheckedEndpoint(row.endpoint_type, info, repository.decrypted_settings(cipher, row), row.configuration)


def _shown(endpoint: CheckedEndpoint, old: dict[str, Any] | None = None) -> dict[str, Any]:
    """The endpoint as it was written, secrets masked; a secret that differs from ``old`` is marked as changed."""
    if endpoint.info is None:
        return {"connector": API_CONNECTOR, "settings": {}}
    settings = dict(endpoint.settings)
    for key in endpoint.info.secrets:
        if settings.get(key):
            known = old is None or old.get(key) in (None, "", settings[key])
            settings[key] = MASK if known else CHANGED
    return {"connector": endpoint.info.connector_id.partition("|")[0], "settings": settings, **endpoint.configuration}


def _derived(workflow_id: str, name: str) -> str:
    # The same id after every change, so that running executions keep their tools and connectors.
    return str(uuid.uuid5(uuid.UUID(workflow_id), name))


def _checked(where: str, connector: str, settings: dict[str, Any]) -> tuple[ConnectorInfo, dict[str, Any]]:
    try:
        info = connector_info(connector)
        return info, connector_settings(info, settings)
    except ConfigurationError as error:
        raise InvalidInput(f"{where}: {error.message}") from error


def _api(kind: str, spec: SourceSpec | DestinationSpec) -> CheckedEndpoint:
    if spec.settings:
        raise InvalidInput(f"{kind.lower()}: connector 'api' takes no settings, remove {', '.join(spec.settings)}")
    return CheckedEndpoint(kind=kind, info=None, settings={}, configuration={})


def _source(spec: SourceSpec) -> CheckedEndpoint:
    if spec.connector == API_CONNECTOR:
        return _api("SOURCE", spec)
    info, settings = _checked("source", spec.connector, spec.settings)
    if info.mode is not ConnectorMode.FILESYSTEM or not info.can_read:
        raise InvalidInput(f"source: connector {spec.connector!r} cannot be read from; use one that holds files")
    return CheckedEndpoint(kind="SOURCE", info=info, settings=settings, configuration=_configuration(spec))


def _destination(spec: DestinationSpec) -> CheckedEndpoint:
    if spec.connector == API_CONNECTOR:
        return _api("DESTINATION", spec)
    info, settings = _checked("destination", spec.connector, spec.settings)
    if not info.can_write:
        raise InvalidInput(f"destination: connector {spec.connector!r} cannot be written to")
    configuration = _configuration(spec)
    if info.mode is ConnectorMode.DATABASE:
        try:
            table_settings(configuration)
        except ConfigurationError as error:
            raise InvalidInput(f"destination: {error.message}") from error
    return CheckedEndpoint(kind="DESTINATION", info=info, settings=settings, configuration=configuration)


def _configuration(endpoint: SourceSpec | DestinationSpec) -> dict[str, Any]:
    """The endpoint's configuration under the wire's keys, without what is unset."""
    built = msgspec.to_builtins(endpoint)
    return {key: value for key, value in built.items() if key not in _NOT_CONFIGURATION and value is not None}


def _steps(tools: ToolRegistry, spec: WorkflowSpec) -> list[dict[str, Any]]:
    steps = []
    for number, step in enumerate(spec.tools, start=1):
        try:
            settings = tools.validate(step.tool, step.settings)
            version = tools.get(step.tool).version
        except DocfleetError as error:
            raise InvalidInput(f"tool {number} ({step.tool}): {error.message}") from error
        steps.append({"tool_id": step.tool, "step": number, "version": version, "metadata": settings})
    return steps


def _tool_row(workflow_id: str, step: dict[str, Any]) -> dict[str, Any]:
    return {"id": _derived(workflow_id, f"tool {step['step']}"), "workflow_id": workflow_id, **step}


def _write_endpoint(
    connection: Connection, cipher: Cipher, organization_id: str, workflow_id: str, endpoint: CheckedEndpoint
) -> None:
    key = None
    if endpoint.info is not None:
        key = _write_connector(connection, cipher, organization_id, workflow_id, endpoint, endpoint.info)
    values = {
        "connection_type": WorkflowType.API.value if endpoint.info is None else endpoint.info.mode.value,
        "configuration": endpoint.configuration,
        "connector_instance_id": key,
    }
    statement = upsert(connection, workflow_endpoints).values(
        id=_derived(workflow_id, f"endpoint {endpoint.kind}"),
        workflow_id=workflow_id,
        endpoint_type=endpoint.kind,
        **values,
    )
    connection.execute(statement.on_conflict_do_update(index_elements=["workflow_id", "endpoint_type"], set_=values))


def _write_connector(
    connection: Connection,
    cipher: Cipher,
    organization_id: str,
    workflow_id: str,
    endpoint: CheckedEndpoint,
    info: ConnectorInfo,
) -> str:
    connector = {
        "connector_name": info.name,
        "connector_id": info.connector_id,
        "connector_mode": info.mode.value,
        "connector_metadata": cipher.encrypt(endpoint.settings),
        "modified_at": db_now(),
    }
    key = _derived(workflow_id, f"connector {endpoint.kind}")
    statement = upsert(connection, connector_instances).values(
        id=key, organization_id=organization_id, created_at=db_now(), **connector
    )
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=connector))
    return key


def listing(connection: Connection, organization_id: str, limit: int) -> list[WorkflowSummary]:
    """The organization's workflows by name, without endpoints and tools."""
    rows = connection.execute(
        select(workflows)
        .where(workflows.c.organization_id == organization_id)
        .order_by(workflows.c.workflow_name)
        .limit(limit)
    )
    return [WorkflowSummary(**_columns(row)) for row in rows]


def describe(connection: Connection, cipher: Cipher, organization_id: str, workflow_id: str) -> Workflow:
    """One workflow as it was last written, secrets masked. Raises ``NotFound``."""
    row = repository.find(connection, organization_id, workflow_id)
    endpoints = repository.endpoints(connection, workflow_id)
    return Workflow(
        **_columns(row),
        source=_shown(_stated(cipher, endpoints["SOURCE"])),
        tools=[WorkflowStep(step.tool_id, step.metadata) for step in repository.steps(connection, workflow_id)],
        destination=_shown(_stated(cipher, endpoints["DESTINATION"])),
    )


def _columns(row: Record) -> dict[str, Any]:
    return {
        "workflow_id": row.id,
        "name": row.workflow_name,
        "description": row.description,
        "workflow_type": row.deployment_type,
        "is_active": row.is_active,
        "use_file_history": row.use_file_history,
        "max_file_execution_count": row.max_file_execution_count,
        "manual_review": msgspec.convert(row.manual_review, ManualReviewConfig),
        "created_at": iso(row.created_at),
        "modified_at": iso(row.modified_at),
    }
