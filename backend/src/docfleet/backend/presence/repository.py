"""Which workers live: each start of a worker has a row, which its beats keep alive.

A worker is dead when its process was seen to have ended, or when it has missed its beats while others were heard. Then
``executions.lost_workers`` frees its leases. While nobody is heard, the backend or its database was away, and silence
means nothing: the first beat after that gives all workers their whole time again.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select, update

from docfleet.backend.platform.db import Record, db_now, upsert
from docfleet.backend.tables.workers import workers
from docfleet.core.errors import InvalidInput
from docfleet.core.names import WORKER_QUEUES, QueueName, WorkerType
from docfleet.core.presence import (
    MAX_BEAT_SECONDS,
    MAX_NODE_LENGTH,
    MAX_PLACE_LENGTH,
    MISSED_BEATS,
    WorkerBeat,
    WorkerBeatAnswer,
    WorkerProcess,
    WorkerState,
)

log = structlog.get_logger(__name__)

GAP_SHARE = 1 / 3
"""While no worker was heard for this share of the time after which one counts as dead, nobody listened."""
BURIED_SECONDS = 600.0
"""How long the row of a dead worker is kept at least."""

_heard = workers.alias()
_PRESENT = and_(~workers.c.ended, workers.c.freed_at.is_(None))
_SOMEBODY_IS_HEARD = exists().where(~_heard.c.ended, _heard.c.seen_at >= db_now() - GAP_SHARE * _heard.c.silent_seconds)
_SILENT = and_(workers.c.alive_until < db_now(), _SOMEBODY_IS_HEARD)
_DEAD: ColumnElement[bool] = and_(workers.c.freed_at.is_(None), or_(workers.c.ended, _SILENT))
_TYPES = {queue: kind for kind, queues in WORKER_QUEUES.items() for queue in queues}


def beat(connection: Connection, announced: WorkerBeat) -> WorkerBeatAnswer:
    """A worker is alive; the answer names its neighbours. Raises ``InvalidInput``."""
    if not 0 < len(announced.node) <= MAX_NODE_LENGTH or len(announced.place) > MAX_PLACE_LENGTH:
        raise InvalidInput(f"a node has 1 to {MAX_NODE_LENGTH} characters, a place at most {MAX_PLACE_LENGTH}")
    if not 0 < announced.seconds <= MAX_BEAT_SECONDS:
        raise InvalidInput(f"seconds has to be above 0 and at most {MAX_BEAT_SECONDS:.0f}")
    silent = MISSED_BEATS * announced.seconds
    _give_time_after_a_gap(connection, silent)
    before = connection.execute(
        select(workers.c.ended, workers.c.freed_at, (db_now() - workers.c.seen_at).label("silence")).where(
            workers.c.node == announced.node
        )
    ).one_or_none()
    values = {
        "type": announced.type.value,
        "queues": [queue.value for queue in announced.queues],
        "slots": announced.slots,
        "state": announced.state.value,
        "place": announced.place,
        "pid": announced.pid,
        "started": announced.started,
        "seen_at": db_now(),
        "silent_seconds": silent,
        "alive_until": db_now() + silent,
        "ended": False,
        "freed_at": None,
    }
    statement = upsert(connection, workers).values(node=announced.node, first_seen_at=db_now(), **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["node"], set_=values))
    if before is None:
        log.info("worker.announced", node=announced.node, type=announced.type.value)
    elif before.ended or before.freed_at is not None:
        log.warning("worker.returned", node=announced.node, silent_seconds=round(before.silence, 1))
    return WorkerBeatAnswer(neighbours=_neighbours(connection, announced))


def _give_time_after_a_gap(connection: Connection, silent_seconds: float) -> None:
    newest = connection.scalar(select(db_now() - func.max(workers.c.seen_at)).where(_PRESENT))
    if newest is not None and newest > GAP_SHARE * silent_seconds:
        connection.execute(update(workers).where(_PRESENT).values(alive_until=db_now() + workers.c.silent_seconds))


def _neighbours(connection: Connection, announced: WorkerBeat) -> list[WorkerProcess]:
    if not announced.place:
        return []
    rows = connection.execute(
        select(workers.c.node, workers.c.pid, workers.c.started)
        .where(_PRESENT, workers.c.place == announced.place, workers.c.node != announced.node)
        .order_by(workers.c.node)
    )
    return [WorkerProcess(node=row.node, pid=row.pid, started=row.started) for row in rows]


def end(connection: Connection, nodes: list[str]) -> None:
    """The processes of these workers have ended. Their leases are freed by the next sweep."""
    connection.execute(update(workers).where(workers.c.node.in_(nodes), _PRESENT).values(ended=True))


def dead(connection: Connection) -> list[Record]:
    """The rows of dead workers whose leases are still to be freed."""
    return list(connection.execute(select(workers).where(_DEAD).order_by(workers.c.seen_at)))


def is_dead(connection: Connection, node: str) -> bool:
    """Whether it is (still) dead, its leases freed or not."""
    where = and_(workers.c.node == node, or_(_DEAD, workers.c.freed_at.is_not(None)))
    return connection.execute(select(workers.c.node).where(where)).one_or_none() is not None


def bury(connection: Connection, worker: Record) -> None:
    """The leases of a dead worker are freed. The newest row of each type is kept: it says when one was seen last. The
    others are kept for a while, because a claim may have been on its way when its worker died."""
    mine = update(workers).where(workers.c.node == worker.node, _DEAD)
    connection.execute(mine.values(freed_at=db_now(), ended=True))
    connection.execute(
        delete(workers).where(
            workers.c.type == worker.type,
            workers.c.node != worker.node,
            workers.c.freed_at < db_now() - BURIED_SECONDS,
            workers.c.seen_at <= worker.seen_at,
        )
    )


def buried(connection: Connection) -> list[Record]:
    """The rows of dead workers whose leases were freed before."""
    return list(connection.execute(select(workers).where(workers.c.freed_at.is_not(None))))


def missing(connection: Connection, queues: Iterable[QueueName]) -> dict[WorkerType, float | None]:
    """The worker types of which no living worker consumes a queue of ``queues``, with the time (seconds since the
    epoch) at which a worker of the type was seen last; None for never. A worker that is ending does not count."""
    wanted = set(queues)
    living, last_seen = census(connection)
    consumed = {queue for row in living if row.state != WorkerState.ENDING for queue in row.queues}
    lacking = [_TYPES[queue] for queue in QueueName if queue in wanted and queue.value not in consumed]
    return {kind: last_seen.get(kind) for kind in lacking}


def census(connection: Connection) -> tuple[list[Record], dict[WorkerType, float]]:
    """The rows of the workers that live, and when one of each type was seen last (seconds since the epoch)."""
    living = list(connection.execute(select(workers).where(_PRESENT, workers.c.alive_until >= db_now())))
    seen = connection.execute(select(workers.c.type, func.max(workers.c.seen_at)).group_by(workers.c.type))
    return living, {WorkerType(kind): float(at) for kind, at in seen}
