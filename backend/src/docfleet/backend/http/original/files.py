"""Internal API of file executions (the original's E10 to E15)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy import insert, or_, select, text, update

from docfleet.backend.executions import register, repository
from docfleet.backend.files import listing
from docfleet.backend.http.original import status
from docfleet.backend.http.original.status import FileStatusUpdate
from docfleet.backend.platform.db import Database, Record, chunks, db_now
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import OPEN_FILE, identity
from docfleet.backend.tables.files import file_executions as files
from docfleet.backend.workflows import repository as workflows
from docfleet.core.errors import AlreadyFinal, InvalidInput
from docfleet.core.files import FileHashData
from docfleet.core.ids import parse_id
from docfleet.core.status import ExecutionStatus

MOST_FILES = 1000


@post("/file-execution", sync_to_thread=True)
def create_file(
    data: JSONBody[dict[str, Any]], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """E10: the row of this file in this execution, made when there is none."""
    execution_id = parse_id(str(data.get("execution_id")), "execution_id")
    file = FileHashData.from_dict(data.get("file_hash") or {})
    with database.writing() as connection:
        execution = repository.lock_execution(connection, organization_id, execution_id)
        if data.get("workflow_id") not in (None, execution.workflow_id):
            raise InvalidInput("workflow_id is not the execution's")
        mine = (
            files.c.execution_id == execution_id,
            files.c.identity == identity(file.file_key, file.file_path),
        )
        row = connection.execute(select(files).where(*mine)).one_or_none()
        if row is None:
            if repository.is_ending(execution):
                raise AlreadyFinal("the execution is final, or being stopped: it takes no more files")
            number = execution.total_files + 1
            now = connection.scalar(select(db_now()))
            connection.execute(insert(files).values(register.row_of(execution, file, number, now)))
            connection.execute(
                update(executions)
                .where(executions.c.id == execution_id)
                .values(total_files=number, progress_at=db_now())
            )
            row = connection.execute(select(files).where(*mine)).one()
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
    """E11: rows of an execution by path, hash or provider uuid (the hash wins); at most 100."""
    with database.reading() as connection:
        repository.find(connection, organization_id, str(execution_id))
        statement = select(files).where(files.c.execution_id == str(execution_id))
        if file_path is not None:
            statement = statement.where(files.c.file_path == file_path)
        if file_hash:
            statement = statement.where(or_(files.c.file_hash == file_hash, files.c.file_key == file_hash))
        elif provider_file_uuid:
            statement = statement.where(files.c.file_key == provider_file_uuid)
        rows = connection.execute(statement.order_by(files.c.file_number).limit(100)).all()
    return [listing.described(row) for row in rows]


@get("/file-execution/{file_execution_id:uuid}", sync_to_thread=True)
def get_file(
    file_execution_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """E12: one row."""
    with database.reading() as connection:
        return listing.described(status.find_file(connection, organization_id, str(file_execution_id)))


@post("/file-execution/{file_execution_id:uuid}/status", status_code=200, sync_to_thread=True)
def update_file_status(
    file_execution_id: FromPath[UUID],
    data: JSONBody[FileStatusUpdate],
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """E13: change the status of one file along the state machine."""
    with database.writing() as connection:
        return status.update_file(connection, organization_id, str(file_execution_id), data)


@post("/workflow-manager/file-execution/check-active", status_code=200, sync_to_thread=True)
def check_active(
    data: JSONBody[dict[str, Any]], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """E15: which of these files are open in another open execution of the workflow?"""
    workflow_id = parse_id(str(data.get("workflow_id")), "workflow_id")
    asked = data.get("files") or [{"uuid": uuid} for uuid in data.get("provider_file_uuids") or []]
    if not isinstance(asked, list) or len(asked) > MOST_FILES or not all(isinstance(item, dict) for item in asked):
        raise InvalidInput(f"files has to be a list of at most {MOST_FILES} objects")
    keys = {str(item.get("uuid")): item.get("path") for item in asked}
    with database.reading() as connection:
        workflows.find(connection, organization_id, workflow_id)
        open_rows = select(files).where(files.c.workflow_id == workflow_id, text(OPEN_FILE)).subquery()
        running = executions.c.status.in_((ExecutionStatus.PENDING.value, ExecutionStatus.EXECUTING.value))
        statement = select(open_rows).join(executions, executions.c.id == open_rows.c.execution_id).where(running)
        if data.get("current_execution_id"):
            statement = statement.where(open_rows.c.execution_id != data["current_execution_id"])
        rows: list[Record] = []
        for part in chunks(list(keys)):
            rows += connection.execute(statement.where(open_rows.c.file_key.in_(part))).all()
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
