"""Lines of executions' logs: written once each, numbered in the order in which they are committed, read by number.

A number is given under the lock of the execution's row in ``log_channels``, so a reader that
continues after number N misses nothing, even when two consumers write at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, select, update

from docfleet.backend.platform.db import Record, clean, db_now, upsert
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.logs import execution_logs as logs
from docfleet.backend.tables.logs import log_channels as channels
from docfleet.core.errors import InvalidInput, NotFound
from docfleet.core.ids import parse_id
from docfleet.core.log_events import LogEvent, LogLevel, LogsWritten, LogType, shortened
from docfleet.core.management.logs import LogLine
from docfleet.core.status import ExecutionStatus

MAX_LINES = 1_000_000
"""The most lines of one execution; further lines are dropped."""
_LEVELS = list(LogLevel)
_COLUMNS = frozenset(
    ("event_id", "timestamp", "execution_id", "organization_id", "type", "level", "stage", "file_execution_id")
)
_IN_ORGANIZATION = select(executions.c.id).where(
    executions.c.organization_id == bindparam("organization"), executions.c.id.in_(bindparam("ids", expanding=True))
)
_STATUS = select(executions.c.status).where(
    executions.c.id == bindparam("execution"), executions.c.organization_id == bindparam("organization")
)
_CHANNEL = select(channels).where(channels.c.execution_id == bindparam("execution"))
_SEEN = select(logs.c.event_id).where(
    logs.c.execution_id == bindparam("execution"), logs.c.event_id.in_(bindparam("ids", expanding=True))
)


class LogFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines: at least of this level, of this file, of this type."""

    level: LogLevel = LogLevel.INFO
    file_execution_id: str | None = None
    type: LogType | None = None

    def matches(self, line: LogLine) -> bool:
        """Whether the line passes the filter."""
        return (
            line.level.rank >= self.level.rank
            and (self.file_execution_id is None or line.file_execution_id == self.file_execution_id)
            and (self.type is None or line.type is self.type)
        )


EVERYTHING = LogFilter()


def write(connection: Connection, organization_id: str, events: Sequence[LogEvent]) -> tuple[LogsWritten, list[str]]:
    """Write the events that are new. Also returns the ids of the executions that have new lines.

    Executions are written in the order of their ids, so that two writers cannot deadlock.
    """
    by_execution: dict[str, list[LogEvent]] = {}
    for event in events:
        by_execution.setdefault(_execution_id(event), []).append(event)
    log_filter = [execution_id for execution_id in by_execution if execution_id]
    known = set(connection.scalars(_IN_ORGANIZATION, {"organization": organization_id, "ids": log_filter}))
    result, woken = LogsWritten(), []
    for execution_id in sorted(by_execution):
        batch = by_execution[execution_id]
        if execution_id not in known or any(event.organization_id != organization_id for event in batch):
            result.dropped += len(batch)
            continue
        new, dropped = append(connection, execution_id, batch)
        result.written += new
        result.dropped += dropped
        result.repeated += len(batch) - new - dropped
        if new:
            woken.append(execution_id)
    return result, woken


def append(connection: Connection, execution_id: str, events: Iterable[LogEvent]) -> tuple[int, int]:
    """Write the events of one execution that are new. Returns how many lines were written, and how many were dropped
    because its log is archived or full."""
    unique = {event.event_id: event for event in events}
    given = list(unique.values())
    channel = _lock(connection, execution_id, len(given))
    if channel.archived_at is not None or channel.last_sequence > MAX_LINES:
        return 0, len(given)
    seen = set(connection.scalars(_SEEN, {"execution": execution_id, "ids": list(unique)}))
    first = channel.last_sequence - len(given) + 1
    rows = [
        _row(event, execution_id, number)
        for number, event in enumerate(given, start=first)
        if event.event_id not in seen
    ]
    if rows:
        connection.execute(logs.insert(), rows)
    return len(rows), 0


def _lock(connection: Connection, execution_id: str, count: int) -> Record:
    insert = upsert(connection, channels).values(execution_id=execution_id, last_sequence=count)
    return connection.execute(
        insert.on_conflict_do_update(
            index_elements=[channels.c.execution_id], set_={"last_sequence": channels.c.last_sequence + count}
        ).returning(channels.c.last_sequence, channels.c.archived_at)
    ).one()


def _execution_id(event: LogEvent) -> str:
    try:
        return parse_id(event.execution_id)
    except InvalidInput:
        return ""


def _row(event: LogEvent, execution_id: str, sequence: int) -> dict[str, Any]:
    data = {name: value for name, value in event.to_dict().items() if name not in _COLUMNS}
    for name in ("log", "message", "component", "state"):
        if name in data:
            data[name] = shortened(clean(data[name]) or "")
    return {
        "execution_id": execution_id,
        "sequence": sequence,
        "event_id": clean(event.event_id, 64),
        "event_time": event.timestamp,
        "type": event.type.value,
        "level": event.level.rank,
        "stage": clean(event.stage, 50),
        "file_execution_id": clean(event.file_execution_id, 64),
        "data": data,
    }


def describe(row: Record) -> LogLine:
    """The line of a row."""
    columns = {
        "sequence": row.sequence,
        "event_id": row.event_id,
        "timestamp": row.event_time,
        "type": row.type,
        "level": _LEVELS[row.level],
        "stage": row.stage,
        "file_execution_id": row.file_execution_id,
    }
    return msgspec.convert({**columns, **row.data}, LogLine, strict=False)


def page(
    connection: Connection, execution_id: str, *, after: int, limit: int, log_filter: LogFilter = EVERYTHING
) -> list[LogLine]:
    """At most ``limit`` lines with a greater number than ``after``, in their order."""
    statement = select(logs).where(logs.c.execution_id == execution_id, logs.c.sequence > after)
    if log_filter.level.rank:
        statement = statement.where(logs.c.level >= log_filter.level.rank)
    if log_filter.file_execution_id is not None:
        statement = statement.where(logs.c.file_execution_id == log_filter.file_execution_id)
    if log_filter.type is not None:
        statement = statement.where(logs.c.type == log_filter.type.value)
    rows = connection.execute(statement.order_by(logs.c.sequence).limit(limit))
    return [describe(row) for row in rows]


def archived(connection: Connection, execution_id: str) -> bool:
    """Whether its lines are in a file."""
    return last(connection, execution_id)[1]


def last(connection: Connection, execution_id: str) -> tuple[int, bool]:
    """The last number that was given, and whether the lines are in a file. Every line up to it is committed."""
    row = connection.execute(_CHANNEL, {"execution": execution_id}).one_or_none()
    return (0, False) if row is None else (row.last_sequence, row.archived_at is not None)


def execution_status(connection: Connection, organization_id: str, execution_id: str) -> ExecutionStatus:
    """The status of the execution whose log it is. Raises ``NotFound``, for another organization's too."""
    status = connection.scalar(_STATUS, {"organization": organization_id, "execution": execution_id})
    if status is None:
        raise NotFound(f"there is no execution {execution_id} in this organization")
    return ExecutionStatus(status)


def archivable(connection: Connection, age: float, limit: int, final: Sequence[str]) -> Sequence[Record]:
    """Executions that ended more than ``age`` seconds ago and whose lines are still rows: ids, organization, last
    number."""
    return connection.execute(
        select(channels.c.execution_id, channels.c.last_sequence, executions.c.organization_id)
        .join(executions, executions.c.id == channels.c.execution_id)
        .where(
            channels.c.archived_at.is_(None),
            executions.c.status.in_(final),
            executions.c.finished_at < db_now() - age,
        )
        .order_by(executions.c.finished_at)
        .limit(limit)
    ).all()


def delete_archived(connection: Connection, execution_id: str, last_sequence: int) -> bool:
    """Delete its lines up to ``last_sequence``, which are in a file now. False when more were added meanwhile."""
    moved = connection.execute(
        update(channels)
        .where(
            channels.c.execution_id == execution_id,
            channels.c.last_sequence == last_sequence,
            channels.c.archived_at.is_(None),
        )
        .values(archived_at=db_now())
    ).rowcount
    if not moved:
        return False
    connection.execute(delete(logs).where(logs.c.execution_id == execution_id))
    return True
