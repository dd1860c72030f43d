"""Executions as people see them: one with its progress, and pages of them."""

from __future__ import annotations

from sqlalchemy import Connection, and_, or_, select

from docfleet.backend.executions import repository
from docfleet.backend.executions.why import Reasons
from docfleet.backend.files.counts import count_files
from docfleet.backend.platform.db import Record, iso
from docfleet.backend.presence import repository as presence
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.workflows import workflows
from docfleet.backend.workflows.repository import find
from docfleet.core.management.executions import (
    ExecutionProgress,
    ExecutionState,
    ExecutionSummary,
    ListedExecution,
    MissingWorkers,
)
from docfleet.core.names import WorkflowType, execution_queues
from docfleet.core.status import ExecutionStatus


def state(connection: Connection, organization_id: str, execution_id: str) -> ExecutionState:
    """The progress of an execution. Raises ``NotFound``."""
    row = repository.find(connection, organization_id, execution_id)
    workflow = find(connection, organization_id, row.workflow_id)
    counts = count_files(connection, execution_id)
    final = repository.is_final(row)
    # Only an ended execution has retries, and callers that wait for the end poll often.
    retries = repository.retries(connection, [row]).get(row.id, []) if final else []
    done, total = counts.total - counts.open, row.total_files
    return ExecutionState(
        execution=ExecutionSummary.of(repository.describe(row, workflow.workflow_name, None if final else counts)),
        waiting=None if final else Reasons(connection, row, workflow.deployment_type).of_execution(),
        retries=retries,
        stopping=row.stop_requested_at is not None and not final,
        counts=counts.by_status(),
        skipped=row.skipped,
        skipped_examples=row.skipped_examples or {},
        progress=ExecutionProgress(
            total=total,
            done=done,
            open=counts.open,
            listing_complete=repository.is_listed(row) or final,
            percent=round(100 * done / total, 1) if total else (100.0 if final else 0.0),
        ),
        missing_workers=[] if final else _missing_workers(connection, row, workflow.deployment_type),
    )


def _missing_workers(connection: Connection, row: Record, workflow_type: str) -> list[MissingWorkers]:
    queues = execution_queues(is_api=workflow_type == WorkflowType.API)
    needed = [queues.batches] if row.dispatched_at is not None else [queues.orchestration, queues.batches]
    lacking = presence.missing(connection, needed)
    return [MissingWorkers(kind, None if seen is None else iso(seen)) for kind, seen in lacking.items()]


def page(
    connection: Connection,
    organization_id: str,
    *,
    workflow_id: str | None,
    status: ExecutionStatus | None,
    after: str | None,
    limit: int,
) -> list[ListedExecution]:
    """At most ``limit`` executions, newest first, those that are older than ``after``. Raises ``NotFound``."""
    where = [executions.c.organization_id == organization_id]
    if workflow_id is not None:
        where.append(executions.c.workflow_id == workflow_id)
    if status is not None:
        where.append(executions.c.status == status.value)
    if after is not None:
        last = repository.find(connection, organization_id, after)
        older = executions.c.created_at < last.created_at
        same = and_(executions.c.created_at == last.created_at, executions.c.id < last.id)
        where.append(or_(older, same))
    rows = connection.execute(
        select(executions, workflows.c.workflow_name)
        .join(workflows, workflows.c.id == executions.c.workflow_id)
        .where(*where)
        .order_by(executions.c.created_at.desc(), executions.c.id.desc())
        .limit(limit)
    ).all()
    retries = repository.retries(connection, rows)
    return [
        ListedExecution.of(repository.describe(row, row.workflow_name, None), retries=retries.get(row.id, []))
        for row in rows
    ]
