"""Queries of file rows, and a row as JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, or_, select, text

from docfleet.backend.platform.db import Record, chunks, iso
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import OPEN_FILE
from docfleet.backend.tables.files import file_executions as files
from docfleet.core.errors import NotFound
from docfleet.core.management.executions import FileOfExecution, PresentWait
from docfleet.core.status import ExecutionStatus


def page(
    connection: Connection, execution_id: str, *, after: int, limit: int, status: ExecutionStatus | None
) -> Sequence[Record]:
    """Up to ``limit`` rows with a file number above ``after``, in order."""
    statement = select(files).where(files.c.execution_id == execution_id, files.c.file_number > after)
    if status is not None:
        statement = statement.where(files.c.status == status.value)
    return connection.execute(statement.order_by(files.c.file_number).limit(limit)).all()


def find(connection: Connection, organization_id: str, file_execution_id: str) -> Record:
    """The file's row. Raises ``NotFound``, for another organization's too."""
    row = connection.execute(
        select(files).where(files.c.id == file_execution_id, files.c.organization_id == organization_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no file execution {file_execution_id} in this organization")
    return row


def search(
    connection: Connection, execution_id: str, file_path: str | None, file_hash: str | None, provider_uuid: str | None
) -> Sequence[Record]:
    """At most 100 rows of an execution with this path and this content; ``file_hash`` wins over ``provider_uuid``."""
    statement = select(files).where(files.c.execution_id == execution_id)
    if file_path is not None:
        statement = statement.where(files.c.file_path == file_path)
    if file_hash:
        statement = statement.where(or_(files.c.file_hash == file_hash, files.c.file_key == file_hash))
    elif provider_uuid:
        statement = statement.where(files.c.file_key == provider_uuid)
    return connection.execute(statement.order_by(files.c.file_number).limit(100)).all()


def active(
    connection: Connection, workflow_id: str, file_keys: list[str], excluded_execution_id: str | None
) -> list[Record]:
    """Open rows of these files in open executions of the workflow, without those of ``excluded_execution_id``."""
    open_rows = select(files).where(files.c.workflow_id == workflow_id, text(OPEN_FILE)).subquery()
    running = executions.c.status.in_((ExecutionStatus.PENDING.value, ExecutionStatus.EXECUTING.value))
    statement = select(open_rows).join(executions, executions.c.id == open_rows.c.execution_id).where(running)
    if excluded_execution_id:
        statement = statement.where(open_rows.c.execution_id != excluded_execution_id)
    rows: list[Record] = []
    for part in chunks(file_keys):
        rows += connection.execute(statement.where(open_rows.c.file_key.in_(part))).all()
    return rows


def summary(row: Record, waiting: PresentWait | None = None) -> FileOfExecution:
    """A row for people; ``waiting`` is why it is not being worked on."""
    return FileOfExecution(
        file_execution_id=row.id,
        file_number=row.file_number,
        name=row.file_name,
        path=row.file_path,
        status=ExecutionStatus(row.status),
        error=row.error,
        error_code=row.error_code,
        outputs=row.outputs or [],
        execution_time=row.execution_time,
        attempt=row.attempt,
        waiting=waiting,
    )


def described(row: Record) -> dict[str, Any]:
    """A row under the keys of the original's API."""
    return {
        "id": row.id,
        "workflow_execution_id": row.execution_id,
        "file_number": row.file_number,
        "file_name": row.file_name,
        "file_path": row.file_path,
        "file_size": row.file_size,
        "file_hash": row.file_hash,
        "provider_file_uuid": row.data.get("provider_file_uuid"),
        "mime_type": row.mime_type,
        "fs_metadata": row.data.get("fs_metadata") or {},
        "status": row.status,
        "execution_error": row.error,
        "execution_time": row.execution_time,
        "created_at": iso(row.created_at),
        "modified_at": iso(row.modified_at),
    }
