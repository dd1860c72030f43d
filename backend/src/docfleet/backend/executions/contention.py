"""Who has and who wants the file-processing slots, read from the rows; and the decision about one batch.

Read only where a decision may be needed: when a batch starts, when others waited, or when its quantum is used up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, and_, bindparam, exists, select, text, update

from docfleet.backend.executions import fair_share
from docfleet.backend.executions.fair_share import Execution, Fleet, OrganizationShare, Policy
from docfleet.backend.executions.free_files import is_free
from docfleet.backend.organizations import repository as organizations
from docfleet.backend.platform.db import Record, db_now, upsert
from docfleet.backend.tables.executions import OPEN_BATCHES, executions
from docfleet.backend.tables.files import HELD_FILE, OPEN_FILE
from docfleet.backend.tables.files import file_executions as files
from docfleet.backend.tables.organizations import configuration, slot_shares
from docfleet.backend.tables.organizations import organizations as organization_table
from docfleet.core.batch_calls import ReportRequest, SlotAnswer, SlotUse

MAX_EXECUTIONS = 1000
"""The most executions that one decision looks at, those without progress for longest first."""

_NOW = select(db_now())
_FREE = and_(files.c.execution_id == executions.c.id, text(OPEN_FILE), is_free())
_ACTIVE = (
    select(
        executions.c.id,
        executions.c.organization_id,
        executions.c.api_deployment_id,
        executions.c.batch_count,
        executions.c.open_batches,
        executions.c.progress_at,
        executions.c.redispatched_at,
        executions.c.fleet_slots,
        exists().where(_FREE).label("has_free_files"),
    )
    .where(text(OPEN_BATCHES), executions.c.dispatched_at.is_not(None), executions.c.stop_requested_at.is_(None))
    .order_by(executions.c.progress_at)
    .limit(MAX_EXECUTIONS)
)
_HELD = select(files.c.execution_id, files.c.owner).distinct().where(text(HELD_FILE), files.c.lease_until >= db_now())
_ORGANIZATIONS = (
    select(organization_table.c.organization_id, slot_shares.c.used, slot_shares.c.used_at, configuration.c.value)
    .outerjoin(slot_shares, slot_shares.c.organization_id == organization_table.c.organization_id)
    .outerjoin(
        configuration,
        and_(
            configuration.c.organization_id == organization_table.c.organization_id,
            configuration.c.key == organizations.FAIR_SHARE_WEIGHT,
        ),
    )
    .where(organization_table.c.organization_id.in_(bindparam("ids", expanding=True)))
)
_USED = (
    select(slot_shares.c.used, slot_shares.c.used_at, db_now().label("now"))
    .where(slot_shares.c.organization_id == bindparam("id"))
    .with_for_update()
)
_CHARGE = (
    update(slot_shares)
    .where(slot_shares.c.organization_id == bindparam("id"))
    .values(used=bindparam("seconds"), used_at=bindparam("at"))
)
_OTHERS_WORK = select(files.c.id).where(text(HELD_FILE), files.c.execution_id != bindparam("execution_id")).limit(1)


def starting(connection: Connection, execution: Record, use: SlotUse | None, policy: Policy) -> SlotAnswer | None:
    """The answer to a batch that has just taken a slot; None to a worker that does not ask."""
    if use is None:
        return None
    answer, fleet = _look(connection, execution, policy)
    mine = fleet.executions.get(execution.id)
    if mine is not None and len(fleet.executions) > 1:
        answer.others_wait = fair_share.others_wait(fleet, mine, use)
        answer.send_again = mine.is_api or fair_share.room(fleet, mine.organization_id, policy) >= 0
        answer.yield_slot = answer.others_wait and (
            not answer.send_again or fair_share.has_to_step_back(fleet, mine, use, policy)
        )
    return answer


def working(connection: Connection, execution: Record, request: ReportRequest, policy: Policy) -> SlotAnswer | None:
    """The answer to a batch that works. None when its quantum is not used up and nobody waited: it is not looked at.

    A batch that has nothing left to do is not told to yield: it ends.
    """
    use = request.slot
    if use is None or not (policy.is_used_up(use) or use.contended_seconds > 0 or use.hinted):
        return None
    answer, fleet = _look(connection, execution, policy, working=request.owner)
    mine = fleet.executions.get(execution.id)
    if mine is not None and len(fleet.executions) > 1:
        fleet = fair_share.with_use(fleet, mine.organization_id, use.contended_seconds)
        goes_on = bool(request.renew) or (request.claim is not None and mine.has_free_files)
        answer.others_wait = fair_share.others_wait(fleet, mine, use)
        answer.send_again = mine.is_api or fair_share.room(fleet, mine.organization_id, policy) >= 0
        answer.yield_slot = goes_on and answer.others_wait and fair_share.has_to_yield(fleet, mine, use, policy)
    return answer


def charge(connection: Connection, execution: Record, use: SlotUse | None) -> None:
    """Count what a batch used while others waited against its organization."""
    if use is None or use.contended_seconds <= 0:
        return
    row = lock_share(connection, execution.organization_id)
    used = fair_share.decayed(row.used, row.now - row.used_at) + use.contended_seconds
    connection.execute(_CHARGE, {"id": execution.organization_id, "seconds": used, "at": row.now})


def lock_share(connection: Connection, organization_id: str) -> Record:
    """The organization's share (``used``, ``used_at``, ``now``), locked to the end of the transaction. It is locked
    after all other rows. Whoever sends batches or charges one waits for it."""
    row = connection.execute(_USED, {"id": organization_id}).one_or_none()
    if row is None:
        fresh = upsert(connection, slot_shares).values(organization_id=organization_id, used=0.0, used_at=0.0)
        connection.execute(fresh.on_conflict_do_nothing(index_elements=["organization_id"]))
        row = connection.execute(_USED, {"id": organization_id}).one()
    return row


def open_work(connection: Connection, policy: Policy, organization_id: str) -> Fleet:
    """The fleet without what runs, and with this organization in any case: enough for ``fair_share.room``."""
    now = connection.scalar(_NOW) or 0.0
    return _fleet(connection, connection.execute(_ACTIVE).all(), {}, policy, now, organization_id)


def others_work(connection: Connection, execution_id: str) -> bool:
    """Whether batches of other executions have slots."""
    return connection.execute(_OTHERS_WORK, {"execution_id": execution_id}).first() is not None


def batch_of(holder: str) -> str:
    """The batch in the ``owner`` of a file: the worker's process, without the request."""
    return holder.partition("#")[0]


def _look(
    connection: Connection, execution: Record, policy: Policy, *, working: str | None = None
) -> tuple[SlotAnswer, Fleet]:
    """An answer without a decision, and the fleet. ``working`` is a batch of the execution that has its slot although
    it may hold no file at the moment."""
    now = connection.scalar(_NOW) or 0.0
    answer = SlotAnswer(
        quantum_seconds=policy.quantum_seconds,
        quantum_pages=policy.quantum_pages,
        now=now,
        is_api=execution.api_deployment_id is not None,
    )
    active = connection.execute(_ACTIVE).all()
    if len(active) < 2:
        return answer, Fleet({}, {}, now)
    running: defaultdict[str, set[str]] = defaultdict(set)
    for held in connection.execute(_HELD):
        running[held.execution_id].add(batch_of(held.owner))
    if working is not None:
        running[execution.id].add(working)
    return answer, _fleet(connection, active, running, policy, now)


def _fleet(
    connection: Connection,
    active: Sequence[Record],
    running: Mapping[str, set[str]],
    policy: Policy,
    now: float,
    *organization_ids: str,
) -> Fleet:
    found = {
        row.id: Execution(
            id=row.id,
            organization_id=row.organization_id,
            is_api=row.api_deployment_id is not None,
            running=len(running.get(row.id, ())),
            sent=_sent(row),
            has_free_files=bool(row.has_free_files),
            progress_at=max(row.progress_at, row.redispatched_at or 0.0),
            slots=row.fleet_slots,
        )
        for row in active
    }
    ids = {execution.organization_id for execution in found.values()} | set(organization_ids)
    return Fleet(found, _organizations(connection, ids, policy, now), now)


def _organizations(connection: Connection, ids: set[str], policy: Policy, now: float) -> dict[str, OrganizationShare]:
    return {
        row.organization_id: OrganizationShare(
            weight=int(row.value) if row.value else policy.weight,
            used=fair_share.decayed(row.used or 0.0, now - (row.used_at or 0.0)),
        )
        for row in connection.execute(_ORGANIZATIONS, {"ids": sorted(ids)})
    }


def _sent(row: Record) -> int:
    """The open batches. Of an execution whose batches another orchestrator sends, one is assumed."""
    if row.open_batches is not None:
        return int(row.open_batches)
    return max(1, int(row.batch_count))
