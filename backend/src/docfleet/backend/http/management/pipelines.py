"""Management API of pipelines, their schedules among them."""

from __future__ import annotations

import time
from itertools import islice
from typing import Annotated
from uuid import UUID

from litestar import Response, Router, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from docfleet.backend.deployments.repository import workflow_named
from docfleet.backend.executions import service
from docfleet.backend.executions.service import NewExecution
from docfleet.backend.http.management.executions import REPEATED, IdempotencyKey, started
from docfleet.backend.pipelines import repository
from docfleet.backend.platform.db import Database, iso
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.schedules import repository as schedules
from docfleet.backend.schedules.timetable import Timetable
from docfleet.backend.settings import BackendSettings
from docfleet.core.errors import InvalidInput
from docfleet.core.management.changes import AppliedPipeline, PlannedChange
from docfleet.core.management.executions import StartedExecution
from docfleet.core.management.pipelines import (
    DeletedPipeline,
    Pipeline,
    PipelineList,
    PipelinePreview,
    PipelineRequest,
    PlannedRun,
    SchedulePreview,
    TickPage,
)
from docfleet.core.names import WorkflowType
from docfleet.core.schedule import Schedule

Count = Annotated[int, QueryParameter(ge=1, le=100)]
Limit = Annotated[int, QueryParameter(ge=1, le=500)]


@put("/", sync_to_thread=True, summary="Create or change a pipeline")
def put_pipeline(
    data: JSONBody[PipelineRequest],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
    dry_run: FromQuery[bool] = False,
) -> AppliedPipeline | PlannedChange:
    """Idempotent by name. ``dry_run`` writes nothing and answers which fields would change."""
    with database.writing() as connection:
        workflow = workflow_named(connection, organization_id, data.workflow)
        if isinstance(data.schedule, Schedule):
            schedules.check(data.schedule, settings.min_schedule_interval_seconds)
        if workflow.deployment_type == WorkflowType.API:
            raise InvalidInput(
                f"workflow {data.workflow!r:.120} takes its files from calls: publish it as a deployment"
            )
        change = repository.apply(
            connection,
            organization_id,
            data.name,
            workflow,
            active=data.active,
            schedule=data.schedule,
            write=not dry_run,
        )
    if dry_run:
        return change.plan
    return AppliedPipeline(
        pipeline_id=change.resource_id,
        created=change.created,
        changed=change.changed,
        url=f"/deployment/pipeline/api/{organization_id}/{change.resource_id}/",
    )


@get("/", sync_to_thread=True, summary="List pipelines")
def list_pipelines(database: NamedDependency[Database], organization_id: NamedDependency[str]) -> PipelineList:
    """By name."""
    with database.reading() as connection:
        rows = repository.listing(connection, organization_id)
    return PipelineList([repository.describe(row) for row in rows])


@get("/{pipeline_id:uuid}", sync_to_thread=True, summary="Show a pipeline")
def show_pipeline(
    pipeline_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> Pipeline:
    """Its schedule, its next and its last run. ``run_count`` counts runs that have ended."""
    with database.reading() as connection:
        return repository.describe(repository.find(connection, organization_id, str(pipeline_id)))


@delete("/{pipeline_id:uuid}", status_code=200, sync_to_thread=True, summary="Delete a pipeline")
def delete_pipeline(
    pipeline_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> DeletedPipeline:
    """With its keys and its schedule; its executions stay."""
    with database.writing() as connection:
        repository.remove(connection, organization_id, str(pipeline_id))
    return DeletedPipeline(str(pipeline_id))


@post("/{pipeline_id:uuid}/pause", status_code=200, sync_to_thread=True, summary="Pause a pipeline")
def pause_pipeline(
    pipeline_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> Pipeline:
    """No run starts, by schedule, key or hand, until it is resumed; open runs continue."""
    with database.writing() as connection:
        return repository.describe(repository.set_active(connection, organization_id, str(pipeline_id), False))


@post("/{pipeline_id:uuid}/resume", status_code=200, sync_to_thread=True, summary="Resume a pipeline")
def resume_pipeline(
    pipeline_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> Pipeline:
    """Runs start again from the next time of its schedule; times during the pause are not repeated."""
    with database.writing() as connection:
        return repository.describe(repository.set_active(connection, organization_id, str(pipeline_id), True))


@post("/{pipeline_id:uuid}/run", sync_to_thread=True, responses=REPEATED, summary="Run a pipeline now")
def run_pipeline(
    pipeline_id: FromPath[UUID],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    settings: NamedDependency[BackendSettings],
    dispatcher: NamedDependency[Dispatcher],
    organization_id: NamedDependency[str],
    idempotency_key: IdempotencyKey = None,
) -> Response[StartedExecution]:
    """Whatever its schedule says; 409 while it is paused. With ``Idempotency-Key`` a repeated call answers 200 and
    the same id."""
    with database.reading() as connection:
        row = repository.find(connection, organization_id, str(pipeline_id))
    wanted = NewExecution(workflow_id=row.workflow_id, pipeline_id=row.id, idempotency_key=idempotency_key)
    created = service.create(database, cipher, settings, organization_id, wanted)
    return started(created, is_sent=service.dispatch(database, dispatcher, created))


def _next_runs(timetable: Timetable, count: int) -> list[PlannedRun]:
    return [PlannedRun(timetable.local(run), iso(run)) for run in islice(timetable.after(time.time()), count)]


@post("/preview", status_code=200, sync_to_thread=True, summary="Preview a schedule")
def preview_schedule(
    data: JSONBody[Schedule],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
    count: Count = 10,
) -> SchedulePreview:
    """The next runs of a schedule that no pipeline has yet, in its zone and in UTC; 400 names the fault."""
    timetable = schedules.check(data, settings.min_schedule_interval_seconds)
    return SchedulePreview(schedule=data, runs=_next_runs(timetable, count))


@get("/{pipeline_id:uuid}/preview", sync_to_thread=True, summary="Preview the runs of a pipeline")
def preview_pipeline(
    pipeline_id: FromPath[UUID],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
    count: Count = 10,
) -> PipelinePreview:
    """The next runs by its schedule, before jitter, in its zone and in UTC; they come only while it is active."""
    with database.reading() as connection:
        row = repository.find(connection, organization_id, str(pipeline_id))
    schedule = schedules.of(row)
    if schedule is None:
        raise InvalidInput(f"pipeline {row.pipeline_name!r:.120} has no schedule: it runs on request only")
    return PipelinePreview(
        pipeline_id=row.id,
        name=row.pipeline_name,
        active=row.active,
        schedule=schedule,
        runs=_next_runs(Timetable(schedule.cron, schedule.time_zone), count),
    )


@get("/{pipeline_id:uuid}/ticks", sync_to_thread=True, summary="List what became of the times of a schedule")
def list_ticks(
    pipeline_id: FromPath[UUID],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
    after: FromQuery[int | None] = None,
    limit: Limit = 50,
) -> TickPage:
    """Newest first: fired with its execution, queued, skipped (a run was open), missed (no scheduler was running at the
    time), or refused with the reason. ``after`` is the ``next`` of the page before."""
    with database.reading() as connection:
        pipeline = repository.find(connection, organization_id, str(pipeline_id))
        rows = schedules.ticks(connection, pipeline.id, after, limit)
    return TickPage(
        [schedules.describe_tick(row) for row in rows], next=rows[-1].scheduled_for if len(rows) == limit else None
    )


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
