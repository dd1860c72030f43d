"""Schedules: the tick, and the run of a pipeline that another scheduler starts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from docfleet.backend.executions import service
from docfleet.backend.executions.service import NewExecution
from docfleet.backend.executions.ticker import Ticker
from docfleet.backend.http.headers import IDEMPOTENCY_HEADER
from docfleet.backend.pipelines import repository
from docfleet.backend.platform.db import Database
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.settings import BackendSettings
from docfleet.core.schedule import PipelineRun, TickResult


@post("/schedules/tick", status_code=200, sync_to_thread=True, opt={"organization": False})
def tick_schedules(
    database: NamedDependency[Database],
    dispatcher: NamedDependency[Dispatcher],
    cipher: NamedDependency[Cipher],
    settings: NamedDependency[BackendSettings],
) -> TickResult:
    """Start the runs that are due, for all organizations."""
    return Ticker(database, dispatcher, cipher, settings).run()


@post("/pipeline/{pipeline_id:uuid}/run", status_code=200, sync_to_thread=True)
def start_pipeline(
    pipeline_id: FromPath[UUID],
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    settings: NamedDependency[BackendSettings],
    dispatcher: NamedDependency[Dispatcher],
    organization_id: NamedDependency[str],
) -> PipelineRun:
    """Start a run for another scheduler: once for each ``Idempotency-Key``; 409 while the pipeline is paused.

    A run that cannot be sent waits for the sweep.
    """
    with database.reading() as connection:
        row = repository.find(connection, organization_id, str(pipeline_id))
    key = request.headers.get(IDEMPOTENCY_HEADER)
    wanted = NewExecution(workflow_id=row.workflow_id, pipeline_id=row.id, scheduled=True, idempotency_key=key)
    created = service.create(database, cipher, settings, organization_id, wanted)
    if created.new:
        service.send(dispatcher, created)
    return PipelineRun(execution_id=created.row.id, status=created.row.status)


handlers = [tick_schedules, start_pipeline]
