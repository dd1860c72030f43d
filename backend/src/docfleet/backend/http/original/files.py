"""File executions, one by one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

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
from docfleet.core.ids import parse_id

MAX_FILES = 1000


@post("/file-execution", sync_to_thread=True)
def create_file(
    data: JSONBody[dict[str, Any]],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """The row of this file in this execution, written when there is none."""
    execution_id = parse_id(str(data.get("execution_id")), "execution_id")
    file = FileHashData.from_dict(data.get("file_hash") or {})
    with database.writing() as connection:
        execution = repository.lock_execution(connection, organization_id, execution_id)
        if data.get("workflow_id") not in (None, execution.workflow_id):
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
    data: JSONBody[dict[str, Any]], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """Which of these files are open in another open execution of the workflow?"""
    workflow_id = parse_id(str(data.get("workflow_id")), "workflow_id")
    entries = data.get("files") or [{"uuid": uuid} for uuid in data.get("provider_file_uuids") or []]
    if not isinstance(entries, list) or len(entries) > MAX_FILES or not all(isinstance(item, dict) for item in entries):
        raise InvalidInput(f"files has to be a list of at most {MAX_FILES} objects")
    keys = {str(item.get("uuid")): item.get("path") for item in entries}
    with database.reading() as connection:
        workflows.find(connection, organization_id, workflow_id)
        rows = listing.active(connection, workflow_id, list(keys), data.get("current_execution_id"))
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
