"""A worker died: what it held is free at once, as if its leases had expired, and is due for the sweep.

Each file it held gets a loss with its next claim. A late report or delivery of the dead is refused by its attempt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from typing import Any, NamedTuple

import structlog
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, text, update

from docfleet.backend.executions import repository
from docfleet.backend.executions.lost_processes import DUE, EXPIRED_AT
from docfleet.backend.executions.overdue import CLOCK_TOLERANCE_SECONDS
from docfleet.backend.platform.db import Database, Record, chunks
from docfleet.backend.presence import repository as presence
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import OPEN_FILE
from docfleet.backend.tables.files import file_executions as files
from docfleet.backend.tables.workflows import workflows
from docfleet.core.status import OPEN, ExecutionStatus

log = structlog.get_logger(__name__)


class BusyQueues(NamedTuple):
    """Whether messages wait in the queue of orchestrations, and in that of batches; None when nobody knows."""

    orchestrations: bool | None
    batches: bool | None


def free(database: Database) -> list[Record]:
    """Free what dead workers hold. Returns the rows of the workers that were not known to be dead.

    Executions that another transaction has locked are left to the next call, and their workers with them.
    """
    with database.reading() as connection:
        dead = {worker.node: worker for worker in presence.dead(connection)}
        # A claim may have been on its way when its worker died.
        buried = {worker.node for worker in presence.buried(connection)}
        held = _held_by(connection, dead.keys() | buried) if dead or buried else []
    freed: Counter[str] = Counter()
    left: set[str] = set()
    for execution_id, node in held:
        with database.writing() as connection:
            execution = repository.lock_free_execution(connection, execution_id)
            # Checked again in this transaction: its beat may have come meanwhile.
            if execution is None or not presence.is_dead(connection, node):
                left.add(node)
                continue
            freed[node] += _free_files(connection, execution, node)
    gone = [worker for node, worker in dead.items() if node not in left]
    for worker in gone:
        with database.writing() as connection:
            presence.bury(connection, worker)
        if freed[worker.node] or not worker.ended:
            log.warning("worker.lost", node=worker.node, seen_to_end=worker.ended, freed=freed[worker.node])
    return gone


def _held_by(connection: Connection, nodes: Set[str]) -> list[tuple[str, str]]:
    """The executions, each with the node, of which these nodes hold files."""
    owners = (
        select(files.c.execution_id, files.c.owner)
        .where(text(OPEN_FILE), files.c.status == ExecutionStatus.EXECUTING.value, files.c.owner.is_not(None))
        .distinct()
    )
    held = {(row.execution_id, row.owner.partition("/")[0]) for row in connection.execute(owners)}
    return sorted(pair for pair in held if pair[1] in nodes)


def _free_files(connection: Connection, execution: Record, node: str) -> int:
    mark = f"{node}/"
    mine = and_(
        files.c.execution_id == execution.id,
        files.c.status == ExecutionStatus.EXECUTING.value,
        func.substr(files.c.owner, 1, len(mark)) == mark,
    )
    ids = list(connection.scalars(select(files.c.id).where(mine).with_for_update()))
    for part in chunks(ids):
        free: dict[str, Any] = {"lease_until": EXPIRED_AT, "owner": None, "redispatched_at": None}
        connection.execute(update(files).where(files.c.id.in_(part)).values(**free))
    if ids and execution.stop_requested_at is None:
        connection.execute(update(executions).where(executions.c.id == execution.id).values(redispatched_at=DUE))
    return len(ids)


def hasten(connection: Connection, of_kind: ColumnElement[bool], waiting: BusyQueues) -> None:
    """A worker that lists sources died: make executions due that it may have been at. Leases do not tell which.

    What may still lie in a queue is left out, and what was sent again before: repeats keep their growing waits.
    """
    undispatched = executions.c.dispatched_at.is_(None)
    started = executions.c.status == ExecutionStatus.EXECUTING.value
    stuck = [and_(undispatched, started)]
    if waiting.orchestrations is False:
        stuck.append(undispatched)
    if waiting.batches is False:
        stuck.append(executions.c.progress_at <= executions.c.dispatched_at + CLOCK_TOLERANCE_SECONDS)
    connection.execute(
        update(executions)
        .where(
            executions.c.status.in_([status.value for status in OPEN]),
            executions.c.stop_requested_at.is_(None),
            executions.c.redispatched_at.is_(None),
            executions.c.workflow_id.in_(select(workflows.c.id).where(of_kind)),
            or_(*stuck),
        )
        .values(redispatched_at=DUE)
    )
