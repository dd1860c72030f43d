"""File history: reading it by file or content, and counting one run."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from docfleet.backend.files import history
from docfleet.backend.platform.db import Database, Record, iso
from docfleet.backend.settings import BackendSettings
from docfleet.backend.workflows import repository as workflows
from docfleet.core.errors import InvalidInput
from docfleet.core.names import WorkflowType
from docfleet.core.status import ExecutionStatus

MAX_FILES = 1000


class LookupBody(msgspec.Struct):
    """Files by ``provider_file_uuid`` or ``cache_key``, with ``file_path`` and ``identifier``."""

    workflow_id: UUID
    files: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=MAX_FILES)] | None = None


class HistoryBody(msgspec.Struct):
    """One run of a file. Other keys are ignored."""

    workflow_id: UUID
    file_hash: str | None = None
    provider_file_uuid: str | None = None
    file_path: str | None = None
    status: Literal["COMPLETED", "ERROR"] | None = None
    is_api: bool | None = None
    error: Any = None
    result: Any = None
    metadata: Any = None

    json_rules: ClassVar = (
        {
            "anyOf": [
                {"required": [name], "properties": {name: {"type": "string", "minLength": 1}}}
                for name in ("file_hash", "provider_file_uuid")
            ]
        },
    )


def _described(row: Record, limit: int, *, api: bool) -> dict[str, Any]:
    return {
        "id": row.id,
        "workflow_id": row.workflow_id,
        "cache_key": row.content_hash or row.file_key,
        "provider_file_uuid": row.provider_file_uuid,
        "status": row.status,
        "is_completed": row.status == ExecutionStatus.COMPLETED.value,
        "execution_count": row.execution_count,
        "max_execution_count": limit,
        "has_exceeded_limit": not api and row.execution_count >= limit,
        "error": row.error,
        "result": row.result,
        "metadata": row._mapping["metadata"],
        "file_path": row.file_path,
        "created_at": iso(row.created_at),
        "modified_at": iso(row.modified_at),
    }


def _text(value: Any) -> str | None:
    # Values come back as JSON text; texts are kept unchanged.
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


@post("/file-history/batch-lookup", status_code=200, sync_to_thread=True)
def batch_lookup(
    data: JSONBody[LookupBody],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """History of many files by ``identifier``; rows older than the re-processing interval do not count."""
    workflow_id, entries = str(data.workflow_id), data.files or []
    keys = [str(item.get("provider_file_uuid") or item.get("cache_key") or "") for item in entries]
    paths = [item.get("file_path") if isinstance(item.get("file_path"), str) else None for item in entries]
    answer: dict[str, Any] = {}
    with database.reading() as connection:
        workflow = workflows.find(connection, organization_id, workflow_id)
        rows = history.lookup(connection, workflow_id, list(zip(keys, paths, strict=True)))
        for position, item in enumerate(entries):
            row = rows.get(position)
            if row is None and item.get("cache_key"):
                row = history.by_content(connection, workflow_id, str(item["cache_key"]), paths[position])
            limit = workflow.max_file_execution_count or settings.max_file_execution_count
            shown = None if row is None else _described(row, limit, api=workflow.deployment_type == WorkflowType.API)
            default = f"{keys[position]}:{paths[position]}" if paths[position] else keys[position]
            answer[str(item.get("identifier") or default)] = {
                "found": shown is not None,
                "is_completed": shown is not None and shown["is_completed"],
                "file_history": shown,
            }
    return {"file_histories": answer}


@get("/file-history/cache-key/{cache_key:str}", sync_to_thread=True)
def by_cache_key(
    cache_key: FromPath[str],
    workflow_id: FromQuery[UUID],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
    file_path: FromQuery[str | None] = None,
) -> dict[str, Any]:
    """History of one content (hash or provider uuid)."""
    with database.reading() as connection:
        workflow = workflows.find(connection, organization_id, str(workflow_id))
        row = history.by_content(connection, workflow.id, cache_key, file_path)
    limit = workflow.max_file_execution_count or settings.max_file_execution_count
    shown = None if row is None else _described(row, limit, api=workflow.deployment_type == WorkflowType.API)
    return {"found": row is not None, "cache_key": cache_key, "file_history": shown}


@post("/file-history/create", sync_to_thread=True)
def create_history(
    data: JSONBody[HistoryBody],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """Count one run of a file. An unknown status is refused."""
    workflow_id, file_hash, provider = str(data.workflow_id), data.file_hash or "", data.provider_file_uuid or None
    if not (file_hash or provider):
        raise InvalidInput("file_hash is missing")
    entry = history.HistoryEntry(
        organization_id=organization_id,
        workflow_id=workflow_id,
        file_key=provider or file_hash,
        file_path=None if data.is_api else data.file_path,
        status=data.status or ExecutionStatus.COMPLETED.value,
        content_hash=file_hash,
        provider_file_uuid=provider,
        error=_text(data.error),
        result=_text(data.result),
        metadata=_text(data.metadata),
    )
    with database.writing() as connection:
        workflow = workflows.find(connection, organization_id, workflow_id)
        history.record(connection, [entry])
        row = history.find(connection, workflow_id, entry.file_key, entry.file_path)
    limit = workflow.max_file_execution_count or settings.max_file_execution_count
    shown = _described(row, limit, api=workflow.deployment_type == WorkflowType.API)
    return {"status": "created", "workflow_id": workflow_id, "file_history": shown, "message": "recorded"}


handlers = [batch_lookup, by_cache_key, create_history]
