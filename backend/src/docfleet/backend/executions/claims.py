"""Claiming files, and keeping or giving back leases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, select, text, update

from docfleet.backend.db import Record, chunks, db_now
from docfleet.backend.executions import repository, state
from docfleet.backend.files import history
from docfleet.backend.files.models import OPEN_FILE
from docfleet.backend.files.models import file_executions as files
from docfleet.core.errors import InvalidInput, ToolCrashed
from docfleet.core.execution import ClaimRequest, ClaimResponse, FileClaim, Lease, RenewRequest, RenewResponse
from docfleet.core.files import FileHashData
from docfleet.core.status import ExecutionStatus

LARGEST_CLAIM = 1000
LONGEST_LEASE = 86_400.0


def check_lease(owner: str, lease_seconds: float) -> None:
    """Raise ``InvalidInput`` for a lease nobody can hold."""
    if not owner:
        raise InvalidInput("owner must not be empty")
    if not 0 < lease_seconds <= LONGEST_LEASE:
        raise InvalidInput(f"lease_seconds has to be above 0 and at most {LONGEST_LEASE:.0f}")


def claim(connection: Connection, execution: Record, request: ClaimRequest, max_attempts: int) -> ClaimResponse:
    """Put files under a lease for the caller. ``execution`` is locked by the caller."""
    check_lease(request.owner, request.lease_seconds)
    if not 1 <= request.limit <= LARGEST_CLAIM or not 0 <= request.batch_index < request.batch_count:
        raise InvalidInput(f"limit has to be from 1 to {LARGEST_CLAIM}, and batch_index below batch_count")
    if repository.is_final(execution):
        return ClaimResponse(stop=True)
    if request.file_execution_ids:
        rows, answer = _named(connection, execution.id, request)
    else:
        rows, answer = _slice(connection, execution.id, request), ClaimResponse()
    spent = [row for row in rows if row.strikes >= max_attempts]
    if spent:
        give_up(connection, execution, spent)
    taken = _apart([row for row in rows if row.strikes < max_attempts], max_attempts)
    if taken:
        state.take_files(connection, [row.id for row in taken], request.owner, request.lease_seconds)
    if rows:
        repository.touch(connection, execution.id)
    answer.claims = [
        FileClaim(file_execution_id=row.id, attempt=row.attempt + 1, file=msgspec.convert(row.data, FileHashData))
        for row in taken
    ]
    return answer


def is_last_attempt(row: Record, max_attempts: int) -> bool:
    """True for a file that is given up when its worker dies once more. ``row`` has CLAIM_COLUMNS."""
    return bool(row.strikes > 0 and row.strikes >= max_attempts - 1)


def _apart(rows: list[Record], max_attempts: int) -> list[Record]:
    # A worker that dies costs every file it holds a strike. Whoever may die of the next one is claimed alone, so
    # that the file that kills its workers is given up and those that only lay beside it are not.
    safe = [row for row in rows if not is_last_attempt(row, max_attempts)]
    return safe or rows[:1]


def _free() -> ColumnElement[bool]:
    return files.c.lease_until < db_now()


CLAIM_COLUMNS = (files.c.id, files.c.attempt, files.c.strikes, files.c.data, files.c.file_hash)
_FREE = (files.c.execution_id == bindparam("execution_id"), text(OPEN_FILE), _free())
_WAITING = select(func.count()).select_from(select(files.c.id).where(*_FREE).limit(bindparam("enough")).subquery())


def _locking(*where: ColumnElement[bool]) -> Select[Any]:
    free = select(*CLAIM_COLUMNS).where(*_FREE, *where)
    return free.order_by(files.c.file_number).limit(bindparam("size")).with_for_update(skip_locked=True)


_ANY = _locking()
_OWN = _locking((files.c.file_number - 1) % bindparam("batch_count") == bindparam("batch_index"))


def _slice(connection: Connection, execution_id: str, request: ClaimRequest) -> Sequence[Record]:
    # Guided size: large claims while there is much, small ones at the end, so that the slots finish together.
    enough = 2 * request.batch_count * request.limit
    waiting = connection.scalar(_WAITING, {"execution_id": execution_id, "enough": enough})
    size = min(request.limit, max(1, math.ceil((waiting or 0) / (2 * request.batch_count))))
    if request.batch_count == 1:
        return connection.execute(_ANY, {"execution_id": execution_id, "size": size}).all()
    own = {"batch_count": request.batch_count, "batch_index": request.batch_index}
    rows = connection.execute(_OWN, {"execution_id": execution_id, "size": size, **own}).all()
    if not rows:
        size = min(size, max(1, request.limit // 4))
        rows = connection.execute(_ANY, {"execution_id": execution_id, "size": size}).all()
    return rows


def _named(connection: Connection, execution_id: str, request: ClaimRequest) -> tuple[Sequence[Record], ClaimResponse]:
    rows: list[Record] = []
    for part in chunks(request.file_execution_ids):
        rows += connection.execute(
            select(*CLAIM_COLUMNS, files.c.status, _free().label("free"))
            .where(files.c.execution_id == execution_id, files.c.id.in_(part))
            .order_by(files.c.file_number)
            .with_for_update()
        ).all()
    done = [row for row in rows if ExecutionStatus(row.status).is_final]
    free = [row for row in rows if not ExecutionStatus(row.status).is_final and row.free]
    answer = ClaimResponse(already_done=len(done), active_elsewhere=len(rows) - len(done) - len(free))
    return free[: request.limit], answer


def give_up(connection: Connection, execution: Record, rows: Sequence[Record]) -> None:
    """End files whose every worker died: they are the likely cause. ``rows`` have CLAIM_COLUMNS."""
    for row in rows:
        cause = (
            f"gave up after {row.strikes} attempts: the worker processing this file died each time; "
            "look at the workers' logs, then run the file again"
        )
        state.move_files(
            connection,
            execution.id,
            ExecutionStatus.ERROR,
            files.c.id == row.id,
            error=cause,
            error_code=ToolCrashed.code,
        )
        if execution.api_deployment_id is not None:
            continue
        entry = history.HistoryEntry(
            organization_id=execution.organization_id,
            workflow_id=execution.workflow_id,
            file_key=row.data["file_key"],
            file_path=row.data["file_path"],
            content_hash=row.file_hash,
            provider_file_uuid=row.data.get("provider_file_uuid"),
            status=ExecutionStatus.ERROR.value,
            error=cause,
        )
        history.record(connection, [entry])


def _held(connection: Connection, execution_id: str, owner: str, leases: list[Lease]) -> set[str]:
    attempts = {lease.file_execution_id: lease.attempt for lease in leases}
    held: set[str] = set()
    for part in chunks(list(attempts)):
        rows = connection.execute(
            select(files.c.id, files.c.attempt)
            .where(files.c.execution_id == execution_id, files.c.id.in_(part), files.c.owner == owner)
            .where(files.c.status == ExecutionStatus.EXECUTING.value)
            .with_for_update()
        )
        held.update(row.id for row in rows if row.attempt == attempts[row.id])
    return held


def extend(
    connection: Connection, execution_id: str, owner: str, lease_seconds: float, leases: list[Lease]
) -> list[str]:
    """Extend the leases that are still the owner's; the ids of those that are not."""
    if not leases:
        return []
    held = _held(connection, execution_id, owner, leases)
    for part in chunks(sorted(held)):
        connection.execute(update(files).where(files.c.id.in_(part)).values(lease_until=db_now() + lease_seconds))
    return [lease.file_execution_id for lease in leases if lease.file_execution_id not in held]


def give_back(connection: Connection, execution_id: str, owner: str, leases: list[Lease]) -> list[str]:
    """End leases before their time, at no cost to the file; the ids of those that were not the owner's."""
    if not leases:
        return []
    held = _held(connection, execution_id, owner, leases)
    for part in chunks(sorted(held)):
        connection.execute(
            update(files).where(files.c.id.in_(part)).values(lease_until=0.0, owner=None, strikes=files.c.strikes - 1)
        )
    return [lease.file_execution_id for lease in leases if lease.file_execution_id not in held]


def renew(connection: Connection, organization_id: str, execution_id: str, request: RenewRequest) -> RenewResponse:
    """Extend leases. Raises ``NotFound``, ``InvalidInput``."""
    check_lease(request.owner, request.lease_seconds)
    execution = repository.lock_execution(connection, organization_id, execution_id)
    lost = extend(connection, execution_id, request.owner, request.lease_seconds, request.leases)
    return RenewResponse(lost=lost, stop=repository.is_final(execution))
