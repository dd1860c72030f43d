"""Reads and writes of pipelines."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from docfleet.backend.db import Record, clean, db_now
from docfleet.backend.keys import repository as keys
from docfleet.backend.keys.repository import Scope
from docfleet.backend.pipelines.models import pipelines
from docfleet.backend.workflows.models import workflows
from docfleet.core.errors import NotFound
from docfleet.core.ids import new_id
from docfleet.core.status import PipelineStatus


def find(connection: Connection, organization_id: str, pipeline_id: str) -> Record:
    """The pipeline's row. Raises ``NotFound``."""
    row = connection.execute(
        select(pipelines).where(pipelines.c.id == pipeline_id, pipelines.c.organization_id == organization_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no pipeline {pipeline_id} in this organization")
    return row


def by_name(connection: Connection, organization_id: str, name: str) -> Record | None:
    """The pipeline of this name."""
    where = (pipelines.c.organization_id == organization_id, pipelines.c.pipeline_name == clean(name))
    return connection.execute(select(pipelines).where(*where)).one_or_none()


def listing(connection: Connection, organization_id: str) -> list[Record]:
    """The organization's pipelines by name, each with its ``workflow_name``."""
    found = select(pipelines, workflows.c.workflow_name).join(workflows, workflows.c.id == pipelines.c.workflow_id)
    where = pipelines.c.organization_id == organization_id
    return list(connection.execute(found.where(where).order_by(pipelines.c.pipeline_name)))


def remove(connection: Connection, organization_id: str, pipeline_id: str) -> None:
    """Delete the pipeline and its keys; its executions stay. Raises ``NotFound``."""
    find(connection, organization_id, pipeline_id)
    keys.forget_target(connection, Scope.PIPELINE, pipeline_id)
    connection.execute(pipelines.delete().where(pipelines.c.id == pipeline_id))


def apply(
    connection: Connection, organization_id: str, name: str, workflow: Record, *, active: bool, write: bool
) -> tuple[str | None, bool, list[str]]:
    """Create or change the pipeline of this name: its id, whether it is new, and the fields that change."""
    found = by_name(connection, organization_id, name)
    values = {"workflow_id": workflow.id, "active": active}
    if found is None:
        pipeline_id = new_id()
        identity = {"id": pipeline_id, "organization_id": organization_id, "pipeline_name": clean(name)}
        if write:
            connection.execute(
                insert(pipelines).values(
                    **identity,
                    **values,
                    pipeline_type=workflow.deployment_type,
                    run_count=0,
                    created_at=db_now(),
                    modified_at=db_now(),
                )
            )
        return pipeline_id if write else None, True, []
    changed = [key for key, value in values.items() if found._mapping[key] != value]
    if changed and write:
        statement = update(pipelines).where(pipelines.c.id == found.id)
        connection.execute(statement.values(**values, pipeline_type=workflow.deployment_type, modified_at=db_now()))
    return found.id, False, ["workflow" if key == "workflow_id" else key for key in changed]


def put_status(
    connection: Connection, organization_id: str, pipeline_id: str, status: PipelineStatus, *, is_end: bool
) -> bool:
    """Note the status of the last run; False when there is no such pipeline."""
    ended = {"last_run_time": db_now(), "run_count": pipelines.c.run_count + 1} if is_end else {}
    statement = (
        update(pipelines)
        .where(pipelines.c.id == pipeline_id, pipelines.c.organization_id == organization_id)
        .values(last_run_status=status.value, modified_at=db_now(), **ended)
    )
    return connection.execute(statement).rowcount == 1


def finished(connection: Connection, execution: Record, status: PipelineStatus) -> None:
    """Tell the execution's pipeline, if it has one, how the run ended."""
    if execution.pipeline_id:
        put_status(connection, execution.organization_id, execution.pipeline_id, status, is_end=True)
