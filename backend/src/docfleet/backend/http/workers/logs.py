"""Logs: the log consumer sends lines."""

from __future__ import annotations

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from docfleet.backend.logs import repository
from docfleet.backend.logs.readers import LogReaders
from docfleet.backend.platform.db import Database
from docfleet.core.errors import InvalidInput
from docfleet.core.faults import point
from docfleet.core.log_events import MAX_EVENTS, LogBatch, LogsWritten


@post("/logs", status_code=200, sync_to_thread=True)
def write_logs(
    data: JSONBody[LogBatch],
    database: NamedDependency[Database],
    log_readers: NamedDependency[LogReaders],
    organization_id: NamedDependency[str],
) -> LogsWritten:
    """Write lines of this organization's executions; each line once, even if it is sent again."""
    if len(data.events) > MAX_EVENTS:
        raise InvalidInput(f"{len(data.events)} events in one call: send at most {MAX_EVENTS}")
    with database.writing() as connection:
        written, woken = repository.write(connection, organization_id, data.events)
        point("logs.before_commit")
    log_readers.wake(woken)
    log_readers.add(written)
    return written


handlers = [write_logs]
