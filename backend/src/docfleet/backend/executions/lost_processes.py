"""A worker reports a lost pool child: the leases of the dead process are freed at once.

Only the file that the process worked on gets a strike. When the process died between files (while it claimed or
reported), each file it held gets a loss, so that a fault which belongs to no single file ends, too.
"""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy import Connection, select, update

from docfleet.backend.executions import finalize, repository
from docfleet.backend.executions.claims import owned_by
from docfleet.backend.platform.db import Record, chunks
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import file_executions as files
from docfleet.core.batch_calls import LostProcess, LostProcessResponse
from docfleet.core.errors import InvalidInput, ToolCrashed
from docfleet.core.status import ExecutionStatus

log = structlog.get_logger(__name__)

EXPIRED_AT = 1.0
DUE = 0.0
"""A value of ``executions.redispatched_at``: the next sweep sends the execution's work again without waiting."""


def record(connection: Connection, organization_id: str, lost: LostProcess, cap: int) -> LostProcessResponse:
    """Free the files of the process and count its death. A repeated call changes nothing about files.

    An orchestration that killed ``cap`` processes ends its execution. Each call counts there, so a caller must not
    repeat it for one death. Raises ``NotFound``, ``InvalidInput``.
    """
    if not lost.owner:
        raise InvalidInput("owner must not be empty")
    execution = repository.lock_execution(connection, organization_id, lost.execution_id)
    held = _free(connection, lost, execution.stop_requested_at)
    struck = lost.file_execution_id in held
    if execution.stop_requested_at is not None:
        finalize.end_if_done(connection, execution)
    elif lost.orchestration and execution.dispatched_at is None and not repository.is_final(execution):
        struck = True
        _strike_orchestration(connection, execution, cap)
    else:
        connection.execute(update(executions).where(executions.c.id == execution.id).values(redispatched_at=DUE))
    log.warning(
        "worker.process_lost",
        owner=lost.owner,
        execution_id=execution.id,
        file_execution_id=lost.file_execution_id,
        freed=len(held),
        struck=struck,
    )
    return LostProcessResponse(freed=len(held), struck=struck)


def _free(connection: Connection, lost: LostProcess, stop_requested_at: float | None) -> list[str]:
    held = list(
        connection.scalars(
            select(files.c.id)
            .where(files.c.execution_id == lost.execution_id, owned_by(lost.owner))
            .where(files.c.status == ExecutionStatus.EXECUTING.value)
            .with_for_update()
        )
    )
    # As an expired lease, not as a released one: a stop then reports that the fate of the file is unknown.
    until = 0.0 if stop_requested_at is None else EXPIRED_AT
    free: dict[str, Any] = {"lease_until": until, "owner": None, "redispatched_at": None}
    if lost.file_execution_id is None and not lost.told_to_end:
        free["losses"] = files.c.losses + 1
    for part in chunks(held):
        connection.execute(update(files).where(files.c.id.in_(part)).values(**free))
    if lost.file_execution_id in held:
        its_file = files.c.id == lost.file_execution_id
        connection.execute(update(files).where(its_file).values(strikes=files.c.strikes + 1))
    return held


def _strike_orchestration(connection: Connection, execution: Record, cap: int) -> None:
    strikes = execution.strikes + 1
    connection.execute(
        update(executions).where(executions.c.id == execution.id).values(strikes=strikes, redispatched_at=DUE)
    )
    if strikes >= cap:
        cause = (
            f"gave up after {strikes} attempts: the process listing the source died each time; "
            "look at the general worker's log for its signal (memory, crash, time limit), then run the workflow again"
        )
        finalize.fail(connection, execution, cause, ToolCrashed.code)
