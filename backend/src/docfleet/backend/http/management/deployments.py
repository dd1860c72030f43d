"""Management API of API deployments."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Router, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from docfleet.backend.calls.calls import call_path
from docfleet.backend.deployments import repository
from docfleet.backend.platform.db import Database, Record, clean, iso
from docfleet.core.names import ApiName


class DeploymentBody(msgspec.Struct, forbid_unknown_fields=True):
    """A deployment: the workflow named ``workflow`` becomes callable as ``api_name``."""

    api_name: ApiName
    workflow: str
    display_name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    description: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    is_active: bool = True


def _url(request: Request[Any, Any, Any], organization_id: str, api_name: str) -> str:
    return str(request.base_url).rstrip("/") + call_path(organization_id, api_name)


def _described(request: Request[Any, Any, Any], row: Record) -> dict[str, Any]:
    return {
        "deployment_id": row.id,
        "api_name": row.api_name,
        "display_name": row.display_name,
        "description": row.description,
        "workflow": row.workflow_name,
        "workflow_id": row.workflow_id,
        "is_active": row.is_active,
        "url": _url(request, row.organization_id, row.api_name),
        "created_at": iso(row.created_at),
        "modified_at": iso(row.modified_at),
    }


@put("/", sync_to_thread=True, summary="Publish a workflow as an API, or change how")
def put_deployment(
    data: JSONBody[DeploymentBody],
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
    dry_run: FromQuery[bool] = False,
) -> dict[str, Any]:
    """Idempotent by api_name. ``dry_run`` writes nothing and answers which fields would change."""
    wanted = {
        "display_name": clean(data.display_name or data.api_name),
        "description": clean(data.description),
        "is_active": data.is_active,
    }
    with database.writing() as connection:
        deployment_id, created, changed = repository.apply(
            connection, organization_id, data.api_name, data.workflow, wanted, write=not dry_run
        )
    if dry_run:
        return {"created": created, "changed": changed}
    answer = {"deployment_id": deployment_id, "created": created, "changed": created or bool(changed)}
    return {**answer, "url": _url(request, organization_id, data.api_name)}


@get("/", sync_to_thread=True, summary="List API deployments")
def list_deployments(
    request: Request[Any, Any, Any], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """By name."""
    with database.reading() as connection:
        rows = repository.listing(connection, organization_id)
    return {"deployments": [_described(request, row) for row in rows]}


@get("/{deployment_id:uuid}", sync_to_thread=True, summary="Show an API deployment")
def get_deployment(
    deployment_id: FromPath[UUID],
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """One deployment."""
    with database.reading() as connection:
        return _described(request, repository.find(connection, organization_id, str(deployment_id)))


@delete("/{deployment_id:uuid}", status_code=200, sync_to_thread=True, summary="Delete an API deployment")
def delete_deployment(
    deployment_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """With its keys; its executions and their results stay."""
    with database.writing() as connection:
        repository.remove(connection, organization_id, str(deployment_id))
    return {"deployment_id": str(deployment_id), "deleted": True}


router = Router(
    path="/deployments",
    route_handlers=[put_deployment, list_deployments, get_deployment, delete_deployment],
    tags=["deployments"],
)
