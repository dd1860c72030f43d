"""A worker died: what it held is free at once, as if its leases had expired, and is due for the sweep.

Each file it held gets a loss with its next claim. A late report or delivery of the dead is refused by its attempt.
"""

from __future__ import annotations

from typing import NamedTuple

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


class Waiting(NamedTuple):
    """Whether messages wait in the queue of orchestrations, and in that of batches; None when nobody knows."""

    orchestrations: bool | None
    batches: bool | None


def free(database: Database) -> list[Record]:
    """Free what dead workers held. Returns the rows of these workers; one that held files of an execution which another
    transaction has locked is left to the next call."""
    with database.reading() as connection:
        dead = presence.dead(connection)
    return [worker for worker in dead if _free_worker(database, worker)]


def _free_worker(database: Database, worker: Record) -> bool:
    with database.reading() as connection:
        ids = connection.scalars(select(files.c.execution_id).where(text(OPEN_FILE), _held_by(worker.node)).distinct())
        execution_ids = list(ids)
    freed = 0
    for execution_id in execution_ids:
        with database.writing() as connection:
            execution = repository.lock_free_execution(connection, execution_id)
            # Checked again in this transaction: its beat may have come meanwhile.
            if execution is None or not presence.is_dead(connection, worker.node):
                return False
            freed += _free_files(connection, execution, worker.node)
    with database.writing() as connection:
        presence.bury(connection, worker)
    if freed or not worker.ended:
        log.warning("worker.lost", node=worker.node, seen_to_end=worker.ended, freed=freed)
    return True


def _held_by(node: str) -> ColumnElement[bool]:
    mark = f"{node}/"
    return and_(files.c.status == ExecutionStatus.EXECUTING.value, func.substr(files.c.owner, 1, len(mark)) == mark)


def _free_files(connection: Connection, execution: Record, node: str) -> int:
    mine = and_(files.c.execution_id == execution.id, _held_by(node))
    ids = list(connection.scalars(select(files.c.id).where(mine).with_for_update()))
    for part in chunks(ids):
        connection.execute(
            update(files).where(files.c.id.in_(part)).values(lease_until=EXPIRED_AT, owner=None, redispatched_at=None)
        )
    if ids and execution.stop_requested_at is None:
        connection.execute(update(executions).where(executions.c.id == execution.id).values(redispatched_at=DUE))
    return len(ids)


def hasten(connection: Connection, of_kind: ColumnElement[bool], waiting: Waiting) -> None:
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
