"""Management API of API deployments."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, Router, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from docfleet.backend.calls.service import call_path
from docfleet.backend.deployments import repository
from docfleet.backend.platform.db import Database, Record, clean
from docfleet.core.management.changes import AppliedDeployment, PlannedChange
from docfleet.core.management.deployments import DeletedDeployment, Deployment, DeploymentList, DeploymentRequest


def _url(request: Request[Any, Any, Any], organization_id: str, api_name: str) -> str:
    return str(request.base_url).rstrip("/") + call_path(organization_id, api_name)


def _describe(request: Request[Any, Any, Any], row: Record) -> Deployment:
    return repository.describe(row, _url(request, row.organization_id, row.api_name))


@put("/", sync_to_thread=True, summary="Publish a workflow as an API, or change how")
def put_deployment(
    data: JSONBody[DeploymentRequest],
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
    dry_run: FromQuery[bool] = False,
) -> AppliedDeployment | PlannedChange:
    """Idempotent by api_name. ``dry_run`` writes nothing and answers which fields would change."""
    wanted = {
        "display_name": clean(data.display_name or data.api_name),
        "description": clean(data.description),
        "is_active": data.is_active,
    }
    with database.writing() as connection:
        change = repository.apply(connection, organization_id, data.api_name, data.workflow, wanted, write=not dry_run)
    if dry_run:
        return change.plan
    return AppliedDeployment(
        deployment_id=change.resource_id,
        created=change.created,
        changed=change.changed,
        url=_url(request, organization_id, data.api_name),
    )


@get("/", sync_to_thread=True, summary="List API deployments")
def list_deployments(
    request: Request[Any, Any, Any], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> DeploymentList:
    """By name."""
    with database.reading() as connection:
        rows = repository.listing(connection, organization_id)
    return DeploymentList([_describe(request, row) for row in rows])


@get("/{deployment_id:uuid}", sync_to_thread=True, summary="Show an API deployment")
def get_deployment(
    deployment_id: FromPath[UUID],
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
) -> Deployment:
    """One deployment."""
    with database.reading() as connection:
        return _describe(request, repository.find(connection, organization_id, str(deployment_id)))


@delete("/{deployment_id:uuid}", status_code=200, sync_to_thread=True, summary="Delete an API deployment")
def delete_deployment(
    deployment_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> DeletedDeployment:
    """With its keys; its executions and their results stay."""
    with database.writing() as connection:
        repository.remove(connection, organization_id, str(deployment_id))
    return DeletedDeployment(str(deployment_id))


router = Router(
    path="/deployments",
    route_handlers=[put_deployment, list_deployments, get_deployment, delete_deployment],
    tags=["deployments"],
)
