"""Reads of executions, the row lock, and counting from rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, bindparam, select, update

from docfleet.backend.files.counts import Counts
from docfleet.backend.platform.db import Record, chunks, db_now, iso
from docfleet.backend.tables.executions import executions
from docfleet.core.errors import NotFound
from docfleet.core.execution import ExecutionInfo
from docfleet.core.files import Tag
from docfleet.core.status import EmptyReason, ExecutionStatus

# Statements are built once: building one costs several times as much as SQLite needs to execute it.
_FIND = select(executions).where(
    executions.c.id == bindparam("execution_id"), executions.c.organization_id == bindparam("organization_id")
)
_LOCK_FREE = (
    select(executions)
    .where(executions.c.id == bindparam("execution_id"))
    .with_for_update(key_share=True, skip_locked=True)
)
_LOCK = _FIND.with_for_update(key_share=True)
_TOUCH = update(executions).where(executions.c.id == bindparam("execution_id")).values(progress_at=db_now())


def find(connection: Connection, organization_id: str, execution_id: str) -> Record:
    """The execution's row. Raises ``NotFound``, for another organization's too."""
    return _row(connection, _FIND, organization_id, execution_id)


def _row(connection: Connection, statement: Select[Any], organization_id: str, execution_id: str) -> Record:
    row = connection.execute(
        statement, {"execution_id": execution_id, "organization_id": organization_id}
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no execution {execution_id} in this organization")
    return row


def lock_execution(connection: Connection, organization_id: str, execution_id: str) -> Record:
    """The execution's row, locked to the end of the transaction.

    Every writer of an execution's files locks its row first, so that counting, the last report and a stop see each
    other. One lock per transaction cannot deadlock. SQLite has one writer anyway. Raises ``NotFound``.
    """
    return _row(connection, _LOCK, organization_id, execution_id)


def lock_free_execution(connection: Connection, execution_id: str) -> Record | None:
    """As ``lock_execution``, in any organization; None when another transaction has it locked."""
    return connection.execute(_LOCK_FREE, {"execution_id": execution_id}).one_or_none()


def is_final(row: Record) -> bool:
    """Whether the execution's status absorbs every write."""
    return ExecutionStatus(row.status).is_final


def is_ending(row: Record) -> bool:
    """Whether no new work may start for the execution: it is final, or is to stop."""
    return is_final(row) or row.stop_requested_at is not None


def is_listed(row: Record) -> bool:
    """Whether its files are all registered and its batches sent."""
    return row.dispatched_at is not None and not is_open_listing(row)


def is_open_listing(row: Record) -> bool:
    """Whether its files come with its batches (``additions``), and more may come."""
    return row.dispatched_at is not None and row.batch_count == 0


def touch(connection: Connection, execution_id: str) -> None:
    """Record progress, which keeps the sweep from sending work again."""
    connection.execute(_TOUCH, {"execution_id": execution_id})


def retries(connection: Connection, rows: Sequence[Record]) -> dict[str, list[str]]:
    """The retries of executions: lists of ids by id, oldest first."""
    by_execution: dict[str, list[str]] = {}
    for part in chunks([row.id for row in rows]):
        again = connection.execute(
            select(executions.c.id, executions.c.retry_of)
            .where(executions.c.retry_of.in_(part))
            .order_by(executions.c.created_at, executions.c.id)
        )
        for row in again:
            by_execution.setdefault(row.retry_of, []).append(row.id)
    return by_execution


def describe(row: Record, workflow_name: str, counts: Counts | None) -> ExecutionInfo:
    """The row as it goes over the wire; ``counts`` override the stored numbers while it runs."""
    return ExecutionInfo(
        id=row.id,
        workflow_id=row.workflow_id,
        workflow_name=workflow_name,
        status=ExecutionStatus(row.status),
        pipeline_id=row.pipeline_id,
        task_id=row.task_id,
        execution_mode=row.execution_mode,
        execution_method=row.execution_method,
        execution_type=row.execution_type,
        execution_log_id=row.execution_log_id,
        result_acknowledged=row.result_acknowledged,
        total_files=row.total_files,
        successful_files=row.successful_files if counts is None else counts.completed,
        failed_files=row.failed_files if counts is None else counts.error,
        stopped_files=row.stopped_files if counts is None else counts.stopped,
        skipped_files=sum(row.skipped.values()),
        error_message=row.error_message,
        empty_reason=EmptyReason(row.empty_reason) if row.empty_reason else None,
        attempts=row.attempts,
        retry_of=row.retry_of,
        execution_time=row.execution_time,
        created_at=iso(row.created_at),
        modified_at=iso(row.modified_at),
        tags=[msgspec.convert(tag, Tag) for tag in row.tags],
    )
