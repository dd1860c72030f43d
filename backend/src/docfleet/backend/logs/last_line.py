"""The last line of an execution's log. It is written in the transaction of the final status, so it is there once."""

from __future__ import annotations

import time

from sqlalchemy import Connection

from docfleet.backend.files.counts import Counts
from docfleet.backend.logs import repository
from docfleet.backend.platform.db import Record
from docfleet.core.log_events import LogEvent, LogLevel, LogStage
from docfleet.core.status import ExecutionStatus


def write(
    connection: Connection, execution: Record, status: ExecutionStatus, counts: Counts, error: str | None
) -> None:
    """Write how ``execution`` ended."""
    parts = [f"{counts.completed} of {execution.total_files} files succeeded"]
    parts += [f"{number} {what}" for number, what in ((counts.error, "failed"), (counts.stopped, "stopped")) if number]
    failed = status is ExecutionStatus.ERROR
    level = LogLevel.ERROR if failed else LogLevel.WARN if counts.error or counts.stopped else LogLevel.INFO
    text = f"Execution ended {status.value}: {', '.join(parts)}"
    event = LogEvent(
        event_id=f"end-{execution.id}",
        timestamp=time.time(),
        execution_id=execution.id,
        organization_id=execution.organization_id,
        level=level,
        stage=LogStage.FINALIZE.value,
        log=f"{text}; {error}" if error else text,
        channel=execution.execution_log_id,
    )
    repository.append(connection, execution.id, [event])
