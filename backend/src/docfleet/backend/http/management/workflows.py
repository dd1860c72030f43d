"""Management API of workflows."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Router, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from docfleet.backend.platform.db import Database
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.workflows import service
from docfleet.core.management.changes import AppliedWorkflow, PlannedWorkflowChange
from docfleet.core.management.workflows import Workflow, WorkflowList, WorkflowSpec
from docfleet.tools.registry import ToolRegistry


@put("/", sync_to_thread=True, summary="Create or change a workflow")
def put_workflow(
    data: JSONBody[WorkflowSpec],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    tool_registry: NamedDependency[ToolRegistry],
    organization_id: NamedDependency[str],
    dry_run: FromQuery[bool] = False,
) -> AppliedWorkflow | PlannedWorkflowChange:
    """Idempotent by name. An unknown connector, tool or setting is refused and named.

    ``dry_run`` writes nothing and answers which parts would change.
    """
    with database.writing() as connection:
        return service.apply(connection, cipher, tool_registry, organization_id, data, dry_run=dry_run)


@get("/", sync_to_thread=True, summary="List workflows")
def list_workflows(
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
) -> WorkflowList:
    """By name."""
    with database.reading() as connection:
        return WorkflowList(service.listing(connection, organization_id, limit))


@get("/{workflow_id:uuid}", sync_to_thread=True, summary="Show a workflow")
def get_workflow(
    workflow_id: FromPath[UUID],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    organization_id: NamedDependency[str],
) -> Workflow:
    """The workflow as it was last written; secrets are masked."""
    with database.reading() as connection:
        return service.describe(connection, cipher, organization_id, str(workflow_id))


router = Router(path="/workflows", route_handlers=[put_workflow, list_workflows, get_workflow], tags=["workflows"])
