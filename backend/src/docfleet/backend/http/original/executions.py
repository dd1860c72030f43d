"""Executions: writing one, and changing its status."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
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
from docfleet.core.management.executions import MAX_TAG_LENGTH, MAX_TAGS

_NAME = {"minLength": 1, "maxLength": MAX_TAG_LENGTH}
_Tag = (
    Annotated[
        dict[str, Any],
        msgspec.Meta(extra_json_schema={"required": ["name"], "properties": {"name": {"type": "string", **_NAME}}}),
    ]
    | Annotated[str, msgspec.Meta(extra_json_schema=_NAME)]
)


class CreateBody(msgspec.Struct):
    """An execution to write. Other keys are ignored."""

    workflow_id: Annotated[str, msgspec.Meta(min_length=1)]
    pipeline_id: str | None = None
    tags: Annotated[list[_Tag], msgspec.Meta(extra_json_schema={"maxItems": MAX_TAGS})] | None = None
    scheduled: Any = True
    mode: str | None = None
    log_events_id: str | None = None


@post("/workflow-manager/execution/create", sync_to_thread=True)
def create_execution(
    data: JSONBody[CreateBody],
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> Response[dict[str, Any]]:
    """Write an execution; the caller sends it. Idempotent by ``Idempotency-Key``."""
    tags = [str(tag.get("name", "")) if isinstance(tag, dict) else tag for tag in data.tags or []]
    wanted = NewExecution(
        workflow_id=data.workflow_id,
        pipeline_id=data.pipeline_id or None,
        tags=tags,
        scheduled=data.scheduled is True,
        mode=data.mode or "QUEUE",
        log_events_id=data.log_events_id or None,
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
