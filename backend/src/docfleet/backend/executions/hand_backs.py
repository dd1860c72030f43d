"""Leases that end early, and files that wait: a worker says why it does not work on a file it holds or gives back.

A file that is given back loses nothing, except for a *strike* when it ended a process. For a fault of its worker's
machine it may be given back only ``Caps.troubles`` times, each after a longer wait, so that a fault which never ends
is reported instead of repeated for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, select, update

from docfleet.backend.executions import claims, finalize, repository, state
from docfleet.backend.executions.claims import Caps
from docfleet.backend.platform.db import Record, chunks, clean, db_now
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import file_executions as files
from docfleet.core.batch_calls import PutOffRequest, PutOffResponse, Release, RenewRequest, RenewResponse, WaitingLease
from docfleet.core.errors import MachineTrouble, ResourceExhausted, StorageFull
from docfleet.core.status import ExecutionStatus
from docfleet.core.waiting import Wait, WaitCause, Waiting

log = structlog.get_logger(__name__)

FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 60.0
"""The waits before a file goes to a worker again whose machine was in trouble: doubled each time, up to this."""
MAX_DETAIL = 500


def release(
    connection: Connection, execution: Record, owner: str, releases: Sequence[Release], caps: Caps
) -> list[str]:
    """End leases early. Returns the ids of those that were not the owner's."""
    if not releases:
        return []
    own = claims.held(connection, execution.id, owner, releases)
    given = [item for item in releases if item.file_execution_id in own]
    plain = [item.file_execution_id for item in given if item.wait is None and not item.strike]
    free = {"lease_until": 0.0, "owner": None, "waiting_cause": None, "waiting": None}
    for part in chunks(sorted(plain)):
        connection.execute(update(files).where(files.c.id.in_(part)).values(**free))
    now = float(connection.scalar(select(db_now())) or 0.0) if len(plain) < len(given) else 0.0
    for item in given:
        if item.wait is not None or item.strike:
            _give_back(connection, execution, own[item.file_execution_id], item, caps, now)
    return [item.file_execution_id for item in releases if item.file_execution_id not in own]


def renew(connection: Connection, organization_id: str, execution_id: str, request: RenewRequest) -> RenewResponse:
    """Extend leases, also while the execution is being stopped: a delivery that has started is completed.

    Raises ``NotFound``, ``InvalidInput``.
    """
    claims.check_lease(request.owner, request.lease_seconds)
    execution = repository.lock_execution(connection, organization_id, execution_id)
    waiting = _known_waits(connection, execution_id, request.owner, request.waiting)
    lost = claims.extend(connection, execution_id, request.owner, request.lease_seconds, request.leases)
    for row, waits in waiting:
        connection.execute(update(files).where(files.c.id == row.id).values(**_columns(waits)))
    return RenewResponse(lost=lost, stop=repository.is_ending(execution))


def put_off(
    connection: Connection, organization_id: str, execution_id: str, request: PutOffRequest, caps: Caps
) -> PutOffResponse:
    """Note why the source cannot be listed now. After ``caps.troubles`` of its machines the execution ends in ERROR.

    Raises ``NotFound``.
    """
    execution = repository.lock_execution(connection, organization_id, execution_id)
    if repository.is_ending(execution) or execution.dispatched_at is not None:
        return PutOffResponse(stop=repository.is_ending(execution))
    now = float(connection.scalar(select(db_now())) or 0.0)
    troubles = execution.troubles + int(request.wait.cause.is_of_machine)
    if troubles >= caps.troubles:
        finalize.fail(connection, execution, _gave_up(request.wait, troubles), _kind(request.wait).code)
        return PutOffResponse(stop=True)
    before = None if execution.waiting is None else Waiting.from_dict(execution.waiting)
    waits = Waiting(
        cause=request.wait.cause,
        since=before.since if before is not None and before.cause is request.wait.cause else now,
        detail=clean(request.wait.detail, MAX_DETAIL) or "",
        attempt=troubles + 1,
        attempts=caps.troubles,
    )
    # The next attempt follows after the dispatch deadline, when the machine may have recovered.
    values = {"troubles": troubles, "waiting": waits.to_dict(), "progress_at": db_now()}
    connection.execute(update(executions).where(executions.c.id == execution_id).values(**values))
    return PutOffResponse()


def _known_waits(
    connection: Connection, execution_id: str, owner: str, leases: list[WaitingLease]
) -> list[tuple[Record, Waiting]]:
    if not leases:
        return []
    now = float(connection.scalar(select(db_now())) or 0.0)
    own = claims.held(connection, execution_id, owner, leases)
    return [
        (own[lease.file_execution_id], _waiting(own[lease.file_execution_id], lease.wait, now))
        for lease in leases
        if lease.file_execution_id in own
    ]


def _give_back(connection: Connection, execution: Record, row: Record, item: Release, caps: Caps, now: float) -> None:
    strikes = row.strikes + int(item.strike)
    if strikes >= caps.strikes:
        connection.execute(update(files).where(files.c.id == row.id).values(strikes=strikes))
        again = select(*claims.HELD_COLUMNS).where(files.c.id == row.id)
        claims.give_up(connection, execution, connection.execute(again).all())
        return
    wait = item.wait or Wait(cause=WaitCause.BACKOFF)
    if item.strike:
        wait = Wait(cause=WaitCause.BACKOFF, detail=wait.detail, attempt=strikes + 1, attempts=caps.strikes)
    troubles = row.troubles + int(wait.cause.is_of_machine)
    if troubles >= caps.troubles and wait.cause.is_of_machine:
        _end(connection, execution, row, wait, troubles)
        return
    if wait.cause.is_of_machine:
        seconds = min(FIRST_WAIT_SECONDS * 2 ** (troubles - 1), LONGEST_WAIT_SECONDS)
        wait = Wait(
            cause=wait.cause,
            detail=wait.detail,
            retry_seconds=seconds,
            attempt=troubles + 1,
            attempts=caps.troubles,
        )
    waits = _waiting(row, wait, now)
    values = {"lease_until": 0.0, "owner": None, "strikes": strikes, "troubles": troubles, "not_before": waits.until}
    connection.execute(update(files).where(files.c.id == row.id).values(**values, **_columns(waits)))
    log.info("file.given_back", file_execution_id=row.id, cause=wait.cause.value, strikes=strikes, troubles=troubles)


def _end(connection: Connection, execution: Record, row: Record, wait: Wait, troubles: int) -> None:
    # Not in the file's history: the next run takes it up again.
    state.move_files(
        connection,
        execution.id,
        ExecutionStatus.ERROR,
        files.c.id == row.id,
        error=clean(_gave_up(wait, troubles)),
        error_code=_kind(wait).code,
    )


def _gave_up(wait: Wait, troubles: int) -> str:
    return (
        f"gave up after {troubles} attempts, each ended by a fault of its worker's machine: "
        f"{wait.detail or _kind(wait).__doc__}; mend the machine, then run it again"
    )


def _kind(wait: Wait) -> type[MachineTrouble]:
    return StorageFull if wait.cause is WaitCause.STORAGE_FULL else ResourceExhausted


def _waiting(row: Record, wait: Wait, now: float) -> Waiting:
    """``wait`` in the time of the database. A wait that goes on, under this attempt or the next, keeps its start."""
    before = None if row.waiting is None else Waiting.from_dict(row.waiting)
    goes_on = before is not None and before.cause is wait.cause and before.file_attempt >= row.attempt - 1
    return Waiting(
        cause=wait.cause,
        since=before.since if before is not None and goes_on else now,
        until=now + wait.retry_seconds if wait.retry_seconds > 0 else 0.0,
        attempt=wait.attempt,
        attempts=wait.attempts,
        detail=clean(wait.detail, MAX_DETAIL) or "",
        file_attempt=row.attempt,
    )


def _columns(waits: Waiting) -> dict[str, Any]:
    return {"waiting_cause": waits.cause.value, "waiting": waits.to_dict()}
