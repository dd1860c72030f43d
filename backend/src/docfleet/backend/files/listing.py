"""Pages of file rows, and how a row is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from docfleet.backend.platform.db import Record, iso
from docfleet.backend.tables.files import file_executions as files
from docfleet.core.management.executions import FileOfExecution
from docfleet.core.status import ExecutionStatus


def page(
    connection: Connection, execution_id: str, *, after: int, limit: int, status: ExecutionStatus | None
) -> Sequence[Record]:
    """Up to ``limit`` rows with a file number above ``after``, in order."""
    statement = select(files).where(files.c.execution_id == execution_id, files.c.file_number > after)
    if status is not None:
        statement = statement.where(files.c.status == status.value)
    return connection.execute(statement.order_by(files.c.file_number).limit(limit)).all()


def summary(row: Record) -> FileOfExecution:
    """A row for people."""
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
    )


def described(row: Record) -> dict[str, Any]:
    """A row under the original's keys (E10 to E12)."""
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
