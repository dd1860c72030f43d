"""Reads and writes of API deployments."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from docfleet.backend.keys import repository as keys
from docfleet.backend.notifications import repository as notifications
from docfleet.backend.platform.changes import Change
from docfleet.backend.platform.db import Record, clean, db_now, iso
from docfleet.backend.tables.deployments import api_deployments
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.workflows import workflows
from docfleet.core.errors import Conflict, InvalidInput, NotFound
from docfleet.core.ids import new_id
from docfleet.core.management.deployments import Deployment
from docfleet.core.management.keys import Scope
from docfleet.core.names import WorkflowType

_WITH_WORKFLOW = select(api_deployments, workflows.c.workflow_name).join(
    workflows, workflows.c.id == api_deployments.c.workflow_id
)
_BY_NAME = _WITH_WORKFLOW.where(
    api_deployments.c.organization_id == bindparam("organization"), api_deployments.c.api_name == bindparam("name")
)


def by_name(connection: Connection, organization_id: str, api_name: str) -> Record | None:
    """The deployment of this name."""
    return connection.execute(_BY_NAME, {"organization": organization_id, "name": clean(api_name)}).one_or_none()


def find(connection: Connection, organization_id: str, deployment_id: str) -> Record:
    """The deployment's row. Raises ``NotFound``."""
    row = connection.execute(
        _WITH_WORKFLOW.where(
            api_deployments.c.id == deployment_id, api_deployments.c.organization_id == organization_id
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no deployment {deployment_id} in this organization")
    return row


def listing(connection: Connection, organization_id: str) -> list[Record]:
    """The organization's deployments by name."""
    where = api_deployments.c.organization_id == organization_id
    return list(connection.execute(_WITH_WORKFLOW.where(where).order_by(api_deployments.c.api_name)))


def recent_runs(connection: Connection, deployment_id: str) -> list[Record]:
    """The last five executions of the deployment, newest first: id, status, created_at."""
    newest = executions.c.created_at.desc()
    runs = select(executions.c.id, executions.c.status, executions.c.created_at).order_by(newest).limit(5)
    return list(connection.execute(runs.where(executions.c.api_deployment_id == deployment_id)))


def count_runs(connection: Connection, deployment_id: str) -> int:
    """How many executions of the deployment there are."""
    runs = select(func.count()).select_from(executions).where(executions.c.api_deployment_id == deployment_id)
    return connection.scalar(runs) or 0


def workflow_named(connection: Connection, organization_id: str, name: str) -> Record:
    """The workflow of this name. Raises ``NotFound``."""
    row = connection.execute(
        select(workflows).where(
            workflows.c.organization_id == organization_id, workflows.c.workflow_name == clean(name)
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no workflow {name!r:.120} in this organization: apply it first")
    return row


def apply(
    connection: Connection,
    organization_id: str,
    api_name: str,
    workflow_name: str,
    wanted: dict[str, Any],
    *,
    write: bool,
) -> Change:
    """Create or change the deployment of this name; without ``write``, return what would change.

    ``wanted`` has display_name, description, is_active. Raises ``InvalidInput``, and ``Conflict`` when the workflow
    is published under another name.
    """
    workflow = workflow_named(connection, organization_id, workflow_name)
    if workflow.deployment_type != WorkflowType.API:
        raise InvalidInput(
            f"workflow {workflow_name!r:.120} has a source of its own: an API needs one whose source and destination "
            "have the connector `api`"
        )
    values = {**wanted, "workflow_id": workflow.id}
    existing = by_name(connection, organization_id, api_name)
    where = api_deployments.c.workflow_id == workflow.id
    taken = connection.execute(select(api_deployments.c.id, api_deployments.c.api_name).where(where)).one_or_none()
    if taken is not None and taken.api_name != api_name:
        raise Conflict(
            f"workflow {workflow_name!r:.120} is published as {taken.api_name!r} already: keep that name, give the "
            f"workflow another one, or send DELETE /api/v1/deployments/{taken.id} first"
        )
    if existing is None:
        deployment_id = new_id()
        if write:
            identity = {"id": deployment_id, "organization_id": organization_id, "api_name": api_name}
            connection.execute(
                insert(api_deployments).values(**identity, **values, created_at=db_now(), modified_at=db_now())
            )
        return Change(deployment_id, created=True, fields=[])
    changed = [name for name, value in values.items() if existing._mapping[name] != value]
    if changed and write:
        connection.execute(
            update(api_deployments)
            .where(api_deployments.c.id == existing.id)
            .values(**{name: values[name] for name in changed}, modified_at=db_now())
        )
    names = ["workflow" if name == "workflow_id" else name for name in changed]
    return Change(existing.id, created=False, fields=names)


def remove(connection: Connection, organization_id: str, deployment_id: str) -> None:
    """Delete the deployment, its keys and its notifications; its executions stay. Raises ``NotFound``."""
    find(connection, organization_id, deployment_id)
    keys.delete_of_target(connection, Scope.DEPLOYMENT, deployment_id)
    connection.execute(api_deployments.delete().where(api_deployments.c.id == deployment_id))
    notifications.delete_of_target(connection, Scope.DEPLOYMENT, deployment_id)


def describe(row: Record, url: str) -> Deployment:
    """The deployment of a row; ``url`` is where it is called."""
    return Deployment(
        deployment_id=row.id,
        api_name=row.api_name,
        display_name=row.display_name,
        description=row.description,
        workflow=row.workflow_name,
        workflow_id=row.workflow_id,
        is_active=row.is_active,
        url=url,
        created_at=iso(row.created_at),
        modified_at=iso(row.modified_at),
    )
