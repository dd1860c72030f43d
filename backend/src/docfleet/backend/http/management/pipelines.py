"""Management API of pipelines, their schedules among them."""

from __future__ import annotations

import time
from itertools import islice
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import UNSET, UnsetType

from docfleet.backend.deployments.repository import workflow_named
from docfleet.backend.executions import service
from docfleet.backend.executions.service import NewExecution
from docfleet.backend.http.management.executions import REPEATED, IdempotencyKey
from docfleet.backend.pipelines import repository
from docfleet.backend.platform.db import Database, Record, iso
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.schedules import repository as schedules
from docfleet.backend.schedules.timetable import Timetable
from docfleet.backend.settings import BackendSettings
from docfleet.core.errors import InvalidInput
from docfleet.core.names import GivenName, WorkflowType
from docfleet.core.schedule import Schedule

Count = Annotated[int, QueryParameter(ge=1, le=100)]
Limit = Annotated[int, QueryParameter(ge=1, le=500)]


class PipelineBody(msgspec.Struct, forbid_unknown_fields=True):
    """A pipeline: the workflow named ``workflow``, to be run when its key triggers it, and by its schedule.

    Without ``schedule`` it keeps the one it has; null takes it away.
    """

    name: GivenName
    workflow: str
    active: bool = True
    schedule: Schedule | UnsetType | None = UNSET


@put("/", sync_to_thread=True, summary="Create or change a pipeline")
def put_pipeline(
    data: JSONBody[PipelineBody],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
    dry_run: FromQuery[bool] = False,
) -> dict[str, Any]:
    """Idempotent by name. ``dry_run`` writes nothing and answers which fields would change."""
    if isinstance(data.schedule, Schedule):
        schedules.check(data.schedule, settings.min_schedule_interval_seconds)
    with database.writing() as connection:
        workflow = workflow_named(connection, organization_id, data.workflow)
        if workflow.deployment_type == WorkflowType.API:
            raise InvalidInput(
                f"workflow {data.workflow!r:.120} takes its files from calls: publish it as a deployment"
            )
        pipeline_id, created, changed = repository.apply(
            connection,
            organization_id,
            data.name,
            workflow,
            active=data.active,
            schedule=data.schedule,
            write=not dry_run,
        )
    if dry_run:
        return {"created": created, "changed": changed}
    return {
        "pipeline_id": pipeline_id,
        "created": created,
        "changed": created or bool(changed),
        "url": f"/deployment/pipeline/api/{organization_id}/{pipeline_id}/",
    }


def _described(row: Record) -> dict[str, Any]:
    schedule = schedules.of(row)
    return {
        "pipeline_id": row.id,
        "name": row.pipeline_name,
        "workflow": row.workflow_name,
        "workflow_id": row.workflow_id,
        "pipeline_type": row.pipeline_type,
        "active": row.active,
        "run_count": row.run_count,
        "last_run_status": row.last_run_status,
        "last_run_time": iso(row.last_run_time) or None,
        "schedule": None if schedule is None else msgspec.to_builtins(schedule),
        "next_run_time": iso(row.next_run_at) or None,
    }


@get("/", sync_to_thread=True, summary="List pipelines")
def list_pipelines(database: NamedDependency[Database], organization_id: NamedDependency[str]) -> dict[str, Any]:
    """By name."""
    with database.reading() as connection:
        rows = repository.listing(connection, organization_id)
    return {"pipelines": [_described(row) for row in rows]}


@get("/{pipeline_id:uuid}", sync_to_thread=True, summary="Show a pipeline")
def show_pipeline(
    pipeline_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """Its schedule, its next and its last run. ``run_count`` counts runs that have ended."""
    with database.reading() as connection:
        return _described(repository.find(connection, organization_id, str(pipeline_id)))


@delete("/{pipeline_id:uuid}", status_code=200, sync_to_thread=True, summary="Delete a pipeline")
def delete_pipeline(
    pipeline_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """With its keys and its schedule; its executions stay."""
    with database.writing() as connection:
        repository.remove(connection, organization_id, str(pipeline_id))
    return {"pipeline_id": str(pipeline_id), "deleted": True}


@post("/{pipeline_id:uuid}/pause", status_code=200, sync_to_thread=True, summary="Pause a pipeline")
def pause_pipeline(
    pipeline_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """No run begins, by schedule, key or hand, until it is resumed; runs that are open go on."""
    with database.writing() as connection:
        return _described(repository.set_active(connection, organization_id, str(pipeline_id), False))


@post("/{pipeline_id:uuid}/resume", status_code=200, sync_to_thread=True, summary="Resume a pipeline")
def resume_pipeline(
    pipeline_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """From the next time of its schedule on; what came while it was paused is not made up for."""
    with database.writing() as connection:
        return _described(repository.set_active(connection, organization_id, str(pipeline_id), True))


@post("/{pipeline_id:uuid}/run", sync_to_thread=True, responses=REPEATED, summary="Run a pipeline now")
def run_pipeline(
    pipeline_id: FromPath[UUID],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    dispatcher: NamedDependency[Dispatcher],
    organization_id: NamedDependency[str],
    idempotency_key: IdempotencyKey = None,
) -> Response[dict[str, str]]:
    """Whatever its schedule says; 409 while it is paused. With ``Idempotency-Key`` a repeated call answers 200 and
    the same id."""
    with database.reading() as connection:
        row = repository.find(connection, organization_id, str(pipeline_id))
    wanted = NewExecution(workflow_id=row.workflow_id, pipeline_id=row.id, idempotency_key=idempotency_key)
    created = service.create(database, cipher, organization_id, wanted)
    if created.new:
        service.dispatch(database, dispatcher, created)
    answer = {"execution_id": created.row.id, "status": created.row.status}
    return Response(answer, status_code=201 if created.new else 200)


def _preview(schedule: Schedule, timetable: Timetable, count: int) -> dict[str, Any]:
    runs = islice(timetable.after(time.time()), count)
    return {
        "schedule": msgspec.to_builtins(schedule),
        "runs": [{"time": timetable.local(run), "utc": iso(run)} for run in runs],
    }


@post("/preview", status_code=200, sync_to_thread=True, summary="Preview a schedule")
def preview_schedule(
    data: JSONBody[Schedule],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
    count: Count = 10,
) -> dict[str, Any]:
    """The next runs of a schedule that nobody has yet, in its zone and in UTC; 400 says what is wrong with it."""
    return _preview(data, schedules.check(data, settings.min_schedule_interval_seconds), count)


@get("/{pipeline_id:uuid}/preview", sync_to_thread=True, summary="Preview the runs of a pipeline")
def preview_pipeline(
    pipeline_id: FromPath[UUID],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
    count: Count = 10,
) -> dict[str, Any]:
    """The next runs by its schedule, before jitter, in its zone and in UTC; they come only while it is active."""
    with database.reading() as connection:
        row = repository.find(connection, organization_id, str(pipeline_id))
    schedule = schedules.of(row)
    if schedule is None:
        raise InvalidInput(f"pipeline {row.pipeline_name!r:.120} has no schedule: it runs when it is asked to")
    found = _preview(schedule, Timetable(schedule.cron, schedule.time_zone), count)
    return {"pipeline_id": row.id, "name": row.pipeline_name, "active": row.active, **found}


@get("/{pipeline_id:uuid}/ticks", sync_to_thread=True, summary="List what became of the times of a schedule")
def list_ticks(
    pipeline_id: FromPath[UUID],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
    after: FromQuery[int | None] = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """Newest first: fired with its execution, queued, skipped (a run was open), missed (nobody looked at the time), or
    refused with the reason. ``after`` is the ``next`` of the page before."""
    with database.reading() as connection:
        row = repository.find(connection, organization_id, str(pipeline_id))
        found = schedules.ticks(connection, row.id, after, limit)
    ticks = [
        {
            "scheduled_for": iso(tick.scheduled_for),
            "outcome": tick.outcome,
            "execution_id": tick.execution_id,
            "detail": tick.detail,
            "decided_at": iso(tick.decided_at),
        }
        for tick in found
    ]
    return {"ticks": ticks, "next": found[-1].scheduled_for if len(found) == limit else None}


router = Router(
    path="/pipelines",
    route_handlers=[
        put_pipeline,
        list_pipelines,
        show_pipeline,
        delete_pipeline,
        pause_pipeline,
        resume_pipeline,
        run_pipeline,
        preview_schedule,
        preview_pipeline,
        list_ticks,
    ],
    tags=["pipelines"],
)
