"""File executions, one by one."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from docfleet.backend.executions import register, repository, status_update
from docfleet.backend.executions.status_update import FileStatusUpdate
from docfleet.backend.files import listing
from docfleet.backend.platform.db import Database
from docfleet.backend.settings import BackendSettings
from docfleet.backend.workflows import repository as workflows
from docfleet.core.errors import InvalidInput
from docfleet.core.files import FileHashData

MAX_FILES = 1000
_FILE = {
    "required": ["file_name", "file_path"],
    "properties": {name: {"type": "string", "minLength": 1} for name in ("file_name", "file_path")},
    "additionalProperties": False,
}
"""The least that says which file it is. Other keys of ``FileHashData`` are taken, null for those without a value."""


class FileBody(msgspec.Struct):
    """A file of an execution. Other keys are ignored."""

    execution_id: UUID
    file_hash: Annotated[dict[str, Any], msgspec.Meta(extra_json_schema=_FILE)]
    workflow_id: str | None = None


class ActiveFilesBody(msgspec.Struct):
    """Files by ``uuid``, and ``path`` where it matters; or their uuids alone."""

    workflow_id: UUID
    files: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=MAX_FILES)] | None = None
    provider_file_uuids: Annotated[list[Any], msgspec.Meta(max_length=MAX_FILES)] | None = None
    current_execution_id: str | None = None


@post("/file-execution", sync_to_thread=True)
def create_file(
    data: JSONBody[FileBody],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """The row of this file in this execution, written when there is none."""
    execution_id, file = str(data.execution_id), FileHashData.from_dict(data.file_hash)
    with database.writing() as connection:
        execution = repository.lock_execution(connection, organization_id, execution_id)
        if data.workflow_id not in (None, execution.workflow_id):
            raise InvalidInput("workflow_id is not the execution's")
        row = register.register_one(connection, organization_id, execution_id, file, settings)
    return listing.described(row)


@get("/file-execution", sync_to_thread=True)
def find_files(
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
    execution_id: FromQuery[UUID],
    file_path: FromQuery[str | None] = None,
    file_hash: FromQuery[str | None] = None,
    provider_file_uuid: FromQuery[str | None] = None,
) -> list[dict[str, Any]]:
    """Rows of an execution by path, hash or provider uuid (the hash wins); at most 100."""
    with database.reading() as connection:
        repository.find(connection, organization_id, str(execution_id))
        rows = listing.search(connection, str(execution_id), file_path, file_hash, provider_file_uuid)
    return [listing.described(row) for row in rows]


@get("/file-execution/{file_execution_id:uuid}", sync_to_thread=True)
def get_file(
    file_execution_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """One row."""
    with database.reading() as connection:
        return listing.described(listing.find(connection, organization_id, str(file_execution_id)))


@post("/file-execution/{file_execution_id:uuid}/status", status_code=200, sync_to_thread=True)
def update_file_status(
    file_execution_id: FromPath[UUID],
    data: JSONBody[FileStatusUpdate],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """Change the status of one file along the state machine."""
    with database.writing() as connection:
        return status_update.update_file(connection, organization_id, str(file_execution_id), data)


@post("/workflow-manager/file-execution/check-active", status_code=200, sync_to_thread=True)
def check_active(
    data: JSONBody[ActiveFilesBody], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """Which of these files are open in another open execution of the workflow?"""
    workflow_id = str(data.workflow_id)
    entries = data.files or [{"uuid": uuid} for uuid in data.provider_file_uuids or []]
    keys = {str(item.get("uuid")): item.get("path") for item in entries}
    with database.reading() as connection:
        workflows.find(connection, organization_id, workflow_id)
        rows = listing.active(connection, workflow_id, list(keys), data.current_execution_id)
    active: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if keys[row.file_key] in (None, row.file_path):
            shown = listing.described(row)
            active.setdefault(row.file_key, []).append(
                {key: shown[key] for key in _ACTIVE_KEYS} | {"provider_file_uuid": row.file_key}
            )
    return {
        "active_files": active,
        "active_uuids": list(active),
        "active_identifiers": [f"{key}:{item['file_path']}" for key, items in active.items() for item in items],
        "total_checked": len(keys),
        "total_active": len(active),
        "cache_stats": {"db_queries": 1},
    }


_ACTIVE_KEYS = ("id", "workflow_execution_id", "file_name", "file_path", "status", "created_at")

handlers = [create_file, find_files, get_file, update_file_status, check_active]
