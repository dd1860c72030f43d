"""Executions: writing one, and changing its status."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from docfleet.backend.executions import service, status_update
from docfleet.backend.executions.service import NewExecution
from docfleet.backend.executions.status_update import StatusUpdate
from docfleet.backend.http.headers import IDEMPOTENCY_HEADER
from docfleet.backend.platform.db import Database
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.settings import BackendSettings
from docfleet.core.errors import InvalidInput


@post("/workflow-manager/execution/create", sync_to_thread=True)
def create_execution(
    data: JSONBody[dict[str, Any]],
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> Response[dict[str, Any]]:
    """Write an execution; the caller sends it. Idempotent by ``Idempotency-Key``."""
    workflow_id = data.get("workflow_id")
    if not isinstance(workflow_id, str) or not workflow_id:
        raise InvalidInput("workflow_id is missing")
    tags = [tag.get("name", "") if isinstance(tag, dict) else str(tag) for tag in data.get("tags") or []]
    wanted = NewExecution(
        workflow_id=workflow_id,
        pipeline_id=data.get("pipeline_id") or None,
        tags=tags,
        scheduled=data.get("scheduled", True) is True,
        mode=str(data.get("mode") or "QUEUE"),
        log_events_id=data.get("log_events_id") or None,
        idempotency_key=request.headers.get(IDEMPOTENCY_HEADER),
    )
    created = service.create(database, cipher, settings, organization_id, wanted)
    body = {
        "execution_id": created.row.id,
        "status": created.row.status,
        "execution_log_id": created.row.execution_log_id,
        "transport": "celery",
    }
    return Response(body, status_code=200)


@post("/workflow-execution/{execution_id:uuid}/update_status", status_code=200, sync_to_thread=True)
def update_status(
    execution_id: FromPath[UUID],
    data: JSONBody[StatusUpdate],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """Change the status of the execution along the state machine."""
    with database.writing() as connection:
        return status_update.update_execution(connection, organization_id, str(execution_id), data)


handlers = [create_execution, update_status]
