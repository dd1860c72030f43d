"""Pipelines: reading one, and noting how its run ended."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from docfleet.backend.pipelines import repository
from docfleet.backend.platform.db import Database, iso
from docfleet.core.errors import NotFound
from docfleet.core.status import PipelineStatus


class StatusBody(msgspec.Struct):
    """The status of the last run; other keys are ignored."""

    status: PipelineStatus
    is_end: bool = False


@get("/pipeline/{pipeline_id:uuid}", sync_to_thread=True)
def get_pipeline(
    pipeline_id: FromPath[UUID],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
    check_active: Annotated[bool, QueryParameter()] = False,
) -> dict[str, Any]:
    """The pipeline; with ``check_active`` an inactive one is 404."""
    with database.reading() as connection:
        row = repository.find(connection, organization_id, str(pipeline_id))
    if check_active and not row.active:
        raise NotFound(f"pipeline {pipeline_id} is not active")
    described = {
        "id": row.id,
        "workflow": row.workflow_id,
        "pipeline_name": row.pipeline_name,
        "pipeline_type": row.pipeline_type,
        "resolved_pipeline_type": row.pipeline_type,
        "resolved_pipeline_name": row.pipeline_name,
        "is_api": False,
        "active": row.active,
        "run_count": row.run_count,
        "last_run_status": row.last_run_status,
        "last_run_time": iso(row.last_run_time),
    }
    return {"status": "success", "pipeline": described}


@put("/pipeline/{pipeline_id:uuid}", sync_to_thread=True)
def put_pipeline(
    pipeline_id: FromPath[UUID],
    data: JSONBody[StatusBody],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """Note the status of the last run."""
    with database.writing() as connection:
        repository.find(connection, organization_id, str(pipeline_id))
        repository.put_status(connection, organization_id, str(pipeline_id), data.status, is_end=data.is_end)
    return {
        "status": "success",
        "pipeline_id": str(pipeline_id),
        "new_status": data.status.value,
        "is_end": data.is_end,
        "message": "updated",
    }


handlers = [get_pipeline, put_pipeline]
