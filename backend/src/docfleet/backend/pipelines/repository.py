"""Reads and writes of pipelines."""

from __future__ import annotations

from msgspec import UNSET, UnsetType
from sqlalchemy import Connection, insert, select, update

from docfleet.backend.keys import repository as keys
from docfleet.backend.notifications import repository as notifications
from docfleet.backend.platform.changes import Change
from docfleet.backend.platform.db import Record, clean, db_now, iso
from docfleet.backend.schedules import repository as schedules
from docfleet.backend.tables.pipelines import pipelines
from docfleet.backend.tables.workflows import workflows
from docfleet.core.errors import Conflict, NotFound
from docfleet.core.ids import new_id
from docfleet.core.management.keys import Scope
from docfleet.core.management.pipelines import Pipeline
from docfleet.core.schedule import Schedule
from docfleet.core.status import PipelineStatus

_NAMED = select(pipelines, workflows.c.workflow_name).join(workflows, workflows.c.id == pipelines.c.workflow_id)


def find(connection: Connection, organization_id: str, pipeline_id: str) -> Record:
    """The pipeline's row, with its ``workflow_name``. Raises ``NotFound``."""
    where = (pipelines.c.id == pipeline_id, pipelines.c.organization_id == organization_id)
    row = connection.execute(_NAMED.where(*where)).one_or_none()
    if row is None:
        raise NotFound(f"there is no pipeline {pipeline_id} in this organization")
    return row


def by_name(connection: Connection, organization_id: str, name: str) -> Record | None:
    """The pipeline of this name."""
    where = (pipelines.c.organization_id == organization_id, pipelines.c.pipeline_name == clean(name))
    return connection.execute(select(pipelines).where(*where)).one_or_none()


def listing(connection: Connection, organization_id: str) -> list[Record]:
    """The organization's pipelines by name, each with its ``workflow_name``."""
    where = pipelines.c.organization_id == organization_id
    return list(connection.execute(_NAMED.where(where).order_by(pipelines.c.pipeline_name)))


def remove(connection: Connection, organization_id: str, pipeline_id: str) -> None:
    """Delete the pipeline, its keys and its notifications; its executions stay. Raises ``NotFound``."""
    find(connection, organization_id, pipeline_id)
    keys.delete_of_target(connection, Scope.PIPELINE, pipeline_id)
    # In the order in which the end of a run locks: the row of the pipeline, then its notifications.
    connection.execute(pipelines.delete().where(pipelines.c.id == pipeline_id))
    notifications.delete_of_target(connection, Scope.PIPELINE, pipeline_id)


def apply(
    connection: Connection,
    organization_id: str,
    name: str,
    workflow: Record,
    *,
    active: bool,
    schedule: Schedule | UnsetType | None,
    write: bool,
) -> Change:
    """Create or change the pipeline of this name; without ``write``, return what would change. Without a ``schedule``
    it keeps the one it has; None removes it."""
    existing = by_name(connection, organization_id, name)
    if schedule is UNSET:
        schedule = None if existing is None else schedules.of(existing)
    values = {"workflow_id": workflow.id, "active": active}
    if existing is None:
        pipeline_id = new_id()
        identity = {"id": pipeline_id, "organization_id": organization_id, "pipeline_name": clean(name)}
        if write:
            connection.execute(
                insert(pipelines).values(
                    **identity,
                    **values,
                    **schedules.columns(schedule),
                    pipeline_type=workflow.deployment_type,
                    run_count=0,
                    created_at=db_now(),
                    modified_at=db_now(),
                )
            )
            schedules.plan(connection, pipeline_id, schedule, active=active)
        return Change(pipeline_id, created=True, fields=[])
    changed = [key for key, value in values.items() if existing._mapping[key] != value]
    planned = schedules.of(existing) != schedule
    if (changed or planned) and write:
        values |= schedules.columns(schedule)
        statement = update(pipelines).where(pipelines.c.id == existing.id)
        connection.execute(statement.values(**values, pipeline_type=workflow.deployment_type, modified_at=db_now()))
        if planned or "active" in changed:
            schedules.plan(connection, existing.id, schedule, active=active)
    names = ["workflow" if key == "workflow_id" else key for key in changed]
    return Change(existing.id, created=False, fields=[*names, "schedule"] if planned else names)


def set_active(connection: Connection, organization_id: str, pipeline_id: str, active: bool) -> Record:
    """Pause or resume; harmless when nothing changes. Raises ``NotFound``."""
    row = find(connection, organization_id, pipeline_id)
    if row.active != active:
        statement = update(pipelines).where(pipelines.c.id == pipeline_id)
        connection.execute(statement.values(active=active, modified_at=db_now()))
        schedules.plan(connection, pipeline_id, schedules.of(row), active=active)
    return find(connection, organization_id, pipeline_id)


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


def note_start(connection: Connection, execution: Record) -> None:
    """Note on the execution's pipeline, if it has one, that a run started, in the transaction of the new execution.

    Raises ``NotFound``, and ``Conflict`` for a pipeline that is not active, also when its schedule starts it. A retry
    of an earlier run is allowed.
    """
    if not execution.pipeline_id:
        return
    of_it = (pipelines.c.id == execution.pipeline_id, pipelines.c.organization_id == execution.organization_id)
    statement = update(pipelines).where(*of_it)
    if execution.retry_of is None:
        statement = statement.where(pipelines.c.active)
    running = statement.values(last_run_status=PipelineStatus.INPROGRESS.value, modified_at=db_now())
    if connection.execute(running).rowcount == 0 and execution.retry_of is None:
        row = find(connection, execution.organization_id, execution.pipeline_id)
        raise Conflict(f"pipeline {row.pipeline_name!r} is paused: resume it first (`docfleet pipelines resume NAME`)")


def note_end(connection: Connection, execution: Record, status: PipelineStatus) -> None:
    """Note on the execution's pipeline, if it has one, how the run ended."""
    if execution.pipeline_id:
        put_status(connection, execution.organization_id, execution.pipeline_id, status, is_end=True)


def describe(row: Record) -> Pipeline:
    """The pipeline of a row that has its ``workflow_name``."""
    return Pipeline(
        pipeline_id=row.id,
        name=row.pipeline_name,
        workflow=row.workflow_name,
        workflow_id=row.workflow_id,
        pipeline_type=row.pipeline_type,
        active=row.active,
        run_count=row.run_count,
        last_run_status=row.last_run_status,
        last_run_time=iso(row.last_run_time) or None,
        schedule=schedules.of(row),
        next_run_time=iso(row.next_run_at) or None,
    )
