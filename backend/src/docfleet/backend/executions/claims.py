"""Claiming files, and extending leases. (``hand_backs`` ends them early.)

Strikes and losses of a file are counted apart. A *strike*: the process that worked on exactly this file died while its
worker lived (``lost``). A *loss*: a lease expired, for whatever reason; it is counted when the file is claimed
again. Each has a cap of its own (``Caps``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Float, Select, bindparam, case, func, or_, select, text, update

from docfleet.backend.executions import contention, open_batches, repository, state
from docfleet.backend.executions.fair_share import Policy
from docfleet.backend.executions.free_files import is_free
from docfleet.backend.files import history
from docfleet.backend.platform.db import Record, chunks, db_now
from docfleet.backend.settings import BackendSettings
from docfleet.backend.tables.files import OPEN_FILE
from docfleet.backend.tables.files import file_executions as files
from docfleet.core.batch_calls import (
    MAX_CLAIM_FILES,
    MAX_LEASE_SECONDS,
    ClaimRequest,
    ClaimResponse,
    FileClaim,
    Lease,
)
from docfleet.core.errors import InvalidInput, ToolCrashed
from docfleet.core.files import FileHashData
from docfleet.core.status import ExecutionStatus

CONTENDED_CLAIM_FILES = 8
"""The first claim of a batch while others wait: what it does not process in its turn is claimed in vain."""


class Caps(msgspec.Struct, frozen=True):
    """The number of ``strikes``, of ``losses``, and of ``troubles`` of its workers' machines after which a file ends in
    ERROR."""

    strikes: int
    losses: int
    troubles: int

    @classmethod
    def of(cls, settings: BackendSettings) -> Caps:
        """The caps of the settings."""
        return cls(settings.max_file_attempts, settings.max_worker_losses, settings.max_machine_troubles)

    def is_exhausted(self, row: Record) -> bool:
        """Whether the file has used up its attempts. ``row`` has CLAIM_COLUMNS."""
        return bool(row.strikes >= self.strikes or row.losses >= self.losses)

    def is_last_attempt(self, row: Record) -> bool:
        """Whether one more expired lease uses up its attempts."""
        return bool(row.losses > 0 and row.losses >= self.losses - 1)


def holder(request: ClaimRequest) -> str:
    """The owner of a claimed file: the worker, and its request, so that a repeated request is recognized."""
    return f"{request.owner}#{request.request_id}" if request.request_id else request.owner


def owned_by(owner: str) -> ColumnElement[bool]:
    """The files under leases of ``owner``, of any of its requests."""
    mark = f"{owner}#"
    return or_(files.c.owner == owner, func.substr(files.c.owner, 1, len(mark)) == mark)


def check_lease(owner: str, lease_seconds: float) -> None:
    """Raise ``InvalidInput`` for an impossible lease."""
    if not owner:
        raise InvalidInput("owner must not be empty")
    if not 0 < lease_seconds <= MAX_LEASE_SECONDS:
        raise InvalidInput(f"lease_seconds has to be above 0 and at most {MAX_LEASE_SECONDS:.0f}")


def claim(
    connection: Connection,
    execution: Record,
    request: ClaimRequest,
    caps: Caps,
    policy: Policy = Policy(),
) -> ClaimResponse:
    """Put files under a lease for the caller. ``execution`` is locked by the caller.

    A repeated request, whose first answer was lost, gets the same answer: same files, same attempts. A batch that has
    just taken its slot may get none, because others go before it.
    """
    check_lease(request.owner, request.lease_seconds)
    if not 1 <= request.limit <= MAX_CLAIM_FILES or not 0 <= request.batch_index < request.batch_count:
        raise InvalidInput(f"limit has to be from 1 to {MAX_CLAIM_FILES}, and batch_index below batch_count")
    if repository.is_ending(execution):
        return ClaimResponse(stop=True)
    if request.request_id and (again := _claimed_before(connection, execution.id, request)):
        return ClaimResponse(claims=again)
    slot = contention.starting(connection, execution, request.slot, policy)
    if slot is not None and slot.yield_slot:
        if not slot.send_again:
            open_batches.take_back(connection, execution)
        return ClaimResponse(slot=slot)
    if slot is not None and slot.others_wait and not request.file_execution_ids:
        request = msgspec.structs.replace(request, limit=min(request.limit, CONTENDED_CLAIM_FILES))
    rows, answer = _candidates(connection, execution.id, request)
    while rows and all(caps.is_exhausted(row) for row in rows):
        give_up(connection, execution, rows)
        rows, answer = _candidates(connection, execution.id, request)
    give_up(connection, execution, [row for row in rows if caps.is_exhausted(row)])
    taken = _isolated([row for row in rows if not caps.is_exhausted(row)], caps)
    if taken:
        state.lease_files(connection, [row.id for row in taken], holder(request), request.lease_seconds)
    if rows:
        repository.touch(connection, execution.id)
    answer.slot = slot
    answer.claims = [
        FileClaim(file_execution_id=row.id, attempt=row.attempt + 1, file=msgspec.convert(row.data, FileHashData))
        for row in taken
    ]
    return answer


def _candidates(
    connection: Connection, execution_id: str, request: ClaimRequest
) -> tuple[Sequence[Record], ClaimResponse]:
    if request.file_execution_ids:
        return _named(connection, execution_id, request)
    return _slice(connection, execution_id, request), ClaimResponse()


_CLAIMED = (
    select(files.c.id, files.c.attempt, files.c.data)
    .where(
        files.c.execution_id == bindparam("execution_id"),
        files.c.status == ExecutionStatus.EXECUTING.value,
        files.c.owner == bindparam("holder"),
    )
    .order_by(files.c.file_number)
    .with_for_update()
)
_EXTEND = (
    update(files)
    .where(files.c.id.in_(bindparam("ids", expanding=True)))
    .values(lease_until=db_now() + bindparam("seconds", type_=Float))
)


def _claimed_before(connection: Connection, execution_id: str, request: ClaimRequest) -> list[FileClaim]:
    rows = connection.execute(_CLAIMED, {"execution_id": execution_id, "holder": holder(request)}).all()
    for part in chunks([row.id for row in rows]):
        connection.execute(_EXTEND, {"ids": part, "seconds": request.lease_seconds})
    return [
        FileClaim(file_execution_id=row.id, attempt=row.attempt, file=msgspec.convert(row.data, FileHashData))
        for row in rows
    ]


def _isolated(rows: list[Record], caps: Caps) -> list[Record]:
    # A lease that expires is a loss for every file of its holder. A file on its last attempt is claimed alone, so that
    # only the file that kills its workers is given up, and not the others of its claim.
    safe = [row for row in rows if not caps.is_last_attempt(row)]
    return safe or rows[:1]


LOSSES = files.c.losses + case((state.EXPIRED, 1), else_=0)
"""Losses of a file without a running lease, including the one that its next claim counts."""

HELD_COLUMNS = (
    files.c.id,
    files.c.attempt,
    files.c.strikes,
    files.c.losses,
    files.c.data,
    files.c.file_hash,
    files.c.troubles,
    files.c.waiting,
)
CLAIM_COLUMNS = (
    files.c.id,
    files.c.attempt,
    files.c.strikes,
    LOSSES.label("losses"),
    files.c.data,
    files.c.file_hash,
)
_FREE = (files.c.execution_id == bindparam("execution_id"), text(OPEN_FILE), is_free())
_WAITING = select(func.count()).select_from(select(files.c.id).where(*_FREE).limit(bindparam("enough")).subquery())


def _locking(*where: ColumnElement[bool]) -> Select[Any]:
    free = select(*CLAIM_COLUMNS).where(*_FREE, *where)
    return free.order_by(files.c.file_number).limit(bindparam("size")).with_for_update(skip_locked=True)


_ANY = _locking()
_OWN = _locking((files.c.file_number - 1) % bindparam("batch_count") == bindparam("batch_index"))


def _slice(connection: Connection, execution_id: str, request: ClaimRequest) -> Sequence[Record]:
    # Guided size: large claims while many files are left, small ones at the end, so that the slots finish together.
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
            select(*CLAIM_COLUMNS, files.c.status, is_free().label("free"))
            .where(files.c.execution_id == execution_id, files.c.id.in_(part))
            .order_by(files.c.file_number)
            .with_for_update()
        ).all()
    done = [row for row in rows if ExecutionStatus(row.status).is_final]
    free = [row for row in rows if not ExecutionStatus(row.status).is_final and row.free]
    answer = ClaimResponse(
        already_done=len(done),
        active_elsewhere=len(rows) - len(done) - len(free),
        unknown=len(set(request.file_execution_ids)) - len(rows),
    )
    return free[: request.limit], answer


def give_up(connection: Connection, execution: Record, rows: Sequence[Record]) -> None:
    """End files that used up their attempts. ``rows`` have CLAIM_COLUMNS."""
    for row in rows:
        cause = (
            f"gave up after {row.losses} attempts: the worker that held this file was lost each time; "
            "look for what ends the workers (memory, node, network), then run the file again"
            if row.losses > row.strikes
            else f"gave up after {row.strikes} attempts: the process working on this file died each time; "
            "look at the workers' logs for its signal (memory, crash, time limit), then run the file again"
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


def held(connection: Connection, execution_id: str, owner: str, leases: Sequence[Lease]) -> dict[str, Record]:
    """The rows (HELD_COLUMNS) of those files whose leases are the owner's, by id; locked."""
    attempts = {lease.file_execution_id: lease.attempt for lease in leases}
    own: dict[str, Record] = {}
    for part in chunks(list(attempts)):
        rows = connection.execute(
            select(*HELD_COLUMNS)
            .where(files.c.execution_id == execution_id, files.c.id.in_(part), owned_by(owner))
            .where(files.c.status == ExecutionStatus.EXECUTING.value)
            .with_for_update()
        )
        own.update((row.id, row) for row in rows if row.attempt == attempts[row.id])
    return own


def extend(
    connection: Connection, execution_id: str, owner: str, lease_seconds: float, leases: list[Lease]
) -> list[str]:
    """Extend the leases that are still the owner's; their files wait for nothing. Returns the ids of those that are
    not."""
    if not leases:
        return []
    own = held(connection, execution_id, owner, leases)
    values = {"lease_until": db_now() + lease_seconds, "waiting_cause": None, "waiting": None}
    for part in chunks(sorted(own)):
        connection.execute(update(files).where(files.c.id.in_(part)).values(**values))
    return [lease.file_execution_id for lease in leases if lease.file_execution_id not in own]


def hand_over(connection: Connection, execution_id: str, owner: str, leases: list[Lease]) -> list[str]:
    """End leases of files that are not started, for which a batch is sent again. Returns the ids of those that were not
    the owner's. The sweep sends nothing for them meanwhile."""
    if not leases:
        return []
    own = held(connection, execution_id, owner, leases)
    free = {"lease_until": 0.0, "owner": None, "redispatched_at": db_now(), "waiting_cause": None, "waiting": None}
    for part in chunks(sorted(own)):
        connection.execute(update(files).where(files.c.id.in_(part)).values(**free))
    return [lease.file_execution_id for lease in leases if lease.file_execution_id not in own]
