"""Management API of pipelines."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from docfleet.backend.db import Database, iso
from docfleet.backend.deployments.repository import workflow_named
from docfleet.backend.executions.messages import API
from docfleet.backend.pipelines import repository
from docfleet.core.errors import InvalidInput


class PipelineBody(msgspec.Struct, forbid_unknown_fields=True):
    """A pipeline: the workflow named ``workflow``, to be triggered by its key."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    workflow: str
    active: bool = True


@put("/", sync_to_thread=True, summary="Create or change a pipeline")
def put_pipeline(
    data: JSONBody[PipelineBody],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
    dry_run: FromQuery[bool] = False,
) -> dict[str, Any]:
    """Idempotent by name. ``dry_run`` writes nothing and answers which fields would change."""
    with database.writing() as connection:
        workflow = workflow_named(connection, organization_id, data.workflow)
        if workflow.deployment_type == API:
            raise InvalidInput(
                f"workflow {data.workflow!r:.120} takes its files from calls: publish it as a deployment"
            )
        pipeline_id, created, changed = repository.apply(
            connection, organization_id, data.name, workflow, active=data.active, write=not dry_run
        )
    if dry_run:
        return {"created": created, "changed": changed}
    return {
        "pipeline_id": pipeline_id,
        "created": created,
        "changed": created or bool(changed),
        "url": f"/deployment/pipeline/api/{organization_id}/{pipeline_id}/",
    }


@get("/", sync_to_thread=True, summary="List pipelines")
def list_pipelines(database: NamedDependency[Database], organization_id: NamedDependency[str]) -> dict[str, Any]:
    """By name."""
    with database.reading() as connection:
        rows = repository.listing(connection, organization_id)
    return {
        "pipelines": [
            {
                "pipeline_id": row.id,
                "name": row.pipeline_name,
                "workflow": row.workflow_name,
                "workflow_id": row.workflow_id,
                "pipeline_type": row.pipeline_type,
                "active": row.active,
                "run_count": row.run_count,
                "last_run_status": row.last_run_status,
                "last_run_time": iso(row.last_run_time) or None,
            }
            for row in rows
        ]
    }


@delete("/{pipeline_id:uuid}", status_code=200, sync_to_thread=True, summary="Delete a pipeline")
def delete_pipeline(
    pipeline_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """With its keys; its executions stay."""
    with database.writing() as connection:
        repository.remove(connection, organization_id, str(pipeline_id))
    return {"pipeline_id": str(pipeline_id), "deleted": True}


router = Router(path="/pipelines", route_handlers=[put_pipeline, list_pipelines, delete_pipeline], tags=["pipelines"])
