"""The state machine: the only module that writes a status.

Every write is a compare-and-set along ``docfleet.core.status.ALLOWED``. A final status absorbs: the write
changes nothing, and the return value shows it. Only the fields that are named are written.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Float, and_, bindparam, case, update
from sqlalchemy.sql.dml import ReturningUpdate

from docfleet.backend.platform.db import chunks, db_now, emit
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import file_executions as files
from docfleet.core.status import ExecutionStatus, sources_of


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """An execution reached a final status; emitted after the commit (``Database.after_commit``)."""

    execution_id: str
    organization_id: str
    workflow_id: str
    api_deployment_id: str | None
    status: ExecutionStatus
    failed_files: int
    stopped_files: int


def _from(target: ExecutionStatus) -> list[str]:
    return [status.value for status in sources_of(target)]


def move_execution(connection: Connection, execution_id: str, target: ExecutionStatus, **fields: Any) -> bool:
    """Set the execution's status and ``fields``; False when its present status does not lead there."""
    parameters = {"execution": execution_id} | {f"new_{name}": value for name, value in fields.items()}
    moved = connection.execute(_move_execution(target, tuple(fields)), parameters).one_or_none()
    if moved is not None and target.is_final:
        emit(connection, Ended(execution_id=execution_id, status=target, **moved._mapping))
    return moved is not None


@cache
def _move_execution(target: ExecutionStatus, names: tuple[str, ...]) -> ReturningUpdate[Any]:
    values: dict[str, Any] = {name: bindparam(f"new_{name}", type_=executions.c[name].type) for name in names}
    if target.is_final:
        values |= {"finished_at": db_now(), "execution_time": db_now() - executions.c.created_at}
    return (
        update(executions)
        .where(executions.c.id == bindparam("execution"), executions.c.status.in_(_from(target)))
        .values(status=target.value, modified_at=db_now(), **values)
        .returning(
            executions.c.organization_id,
            executions.c.workflow_id,
            executions.c.api_deployment_id,
            executions.c.failed_files,
            executions.c.stopped_files,
        )
    )


def move_files(
    connection: Connection, execution_id: str, target: ExecutionStatus, *where: ColumnElement[bool], **fields: Any
) -> int:
    """Set the status of an execution's files that may reach ``target``; the number of files moved."""
    if target.is_final:
        fields |= {"finished_at": db_now(), "owner": None, "lease_until": 0.0}
    statement = (
        update(files)
        .where(files.c.execution_id == execution_id, files.c.status.in_(_from(target)), *where)
        .values(status=target.value, modified_at=db_now(), **fields)
    )
    return connection.execute(statement).rowcount


EXPIRED = and_(files.c.status == ExecutionStatus.EXECUTING.value, files.c.lease_until > 0)
"""The lease of a file that is not held has expired. A lease that was released or freed is 0."""

_LEASE = (
    update(files)
    .where(
        files.c.id.in_(bindparam("ids", expanding=True)),
        files.c.status.in_((ExecutionStatus.PENDING.value, ExecutionStatus.EXECUTING.value)),
        files.c.lease_until < db_now(),
    )
    .values(
        status=ExecutionStatus.EXECUTING.value,
        attempt=files.c.attempt + 1,
        losses=files.c.losses + case((EXPIRED, 1), else_=0),
        owner=bindparam("new_owner"),
        waiting_cause=None,  # it is worked on now; ``waiting`` is kept, in case it has to wait on
        lease_until=db_now() + bindparam("seconds", type_=Float),
        modified_at=db_now(),
    )
)


def lease_files(connection: Connection, ids: list[str], owner: str, lease_seconds: float) -> None:
    """Put free files under a lease: status EXECUTING, a new attempt, and a loss if the last lease ran out.

    A file is free when it is open and no lease on it runs; the caller has locked and checked the rows.
    """
    for part in chunks(ids):
        connection.execute(_LEASE, {"ids": part, "new_owner": owner, "seconds": lease_seconds})


_OUTCOME = (
    update(files)
    .where(
        files.c.id == bindparam("b_id"),
        files.c.attempt == bindparam("b_attempt"),
        files.c.status == ExecutionStatus.EXECUTING.value,
    )
    .values(
        status=bindparam("b_status"),
        error=bindparam("b_error"),
        error_code=bindparam("b_error_code"),
        file_hash=bindparam("b_file_hash"),
        mime_type=bindparam("b_mime_type"),
        outputs=bindparam("b_outputs", type_=files.c.outputs.type),
        execution_time=bindparam("b_execution_time"),
        owner=None,
        lease_until=0.0,
        finished_at=db_now(),
        modified_at=db_now(),
    )
)


def finish_files(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Write outcomes, one parameter set per file, each only under its own attempt.

    Keys: b_id, b_attempt, b_status (final), b_error, b_error_code, b_file_hash, b_mime_type, b_outputs,
    b_execution_time.
    """
    if any(not ExecutionStatus(row["b_status"]).is_final for row in rows):
        raise ValueError("an outcome has to be a final status")
    if rows:
        connection.execute(_OUTCOME, rows)
