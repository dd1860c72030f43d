"""What executions wait for, in their logs and as metrics. A change of the cause is a line of the execution's log."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy import func, select, text, update

from docfleet.backend.executions import why
from docfleet.backend.logs import repository as logs
from docfleet.backend.platform.db import Database, Record, chunks, db_now
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import OPEN_FILE
from docfleet.backend.tables.files import file_executions as files
from docfleet.backend.tables.workflows import workflows
from docfleet.core.ids import new_id
from docfleet.core.log_events import LogEvent, LogLevel, LogStage
from docfleet.core.management.executions import PresentWait
from docfleet.core.status import OPEN
from docfleet.core.waiting import WaitCause

QUIET_SECONDS = 5.0
"""An execution that made progress within this time waits for nothing that is worth a line."""
MAX_EXECUTIONS = 2000
MAX_LINES = 100
"""The most lines of one pass; the next one writes further ones."""
LINES_PER_TRANSACTION = 25

_OPEN = executions.c.status.in_([status.value for status in OPEN])
_QUIET = (
    select(executions, workflows.c.deployment_type)
    .join(workflows, workflows.c.id == executions.c.workflow_id)
    .where(_OPEN, executions.c.progress_at < db_now() - QUIET_SECONDS)
    .order_by(executions.c.progress_at)
    .limit(MAX_EXECUTIONS)
)
_BY_CAUSE = (
    select(executions.c.waiting_cause, func.count())
    .where(_OPEN, executions.c.waiting_cause.is_not(None))
    .group_by(executions.c.waiting_cause)
)
_FILES_BY_CAUSE = (
    select(files.c.waiting_cause, func.count())
    .where(text(OPEN_FILE), files.c.waiting_cause.is_not(None))
    .group_by(files.c.waiting_cause)
)


def write(database: Database) -> int:
    """Write a line for each open execution whose cause has changed since its last one. Returns their number."""
    with database.reading() as connection:
        rows = connection.execute(_QUIET).all()
        facts = why.Facts(connection, [row.id for row in rows])
        all_reasons = [(row, why.Reasons(connection, row, row.deployment_type, facts)) for row in rows]
        changed = [
            (row, reasons.of_execution())
            for row, reasons in all_reasons
            if reasons.cause_of_execution() != row.waiting_cause
        ][:MAX_LINES]
    # In the order of the ids, as every writer of logs: two of them cannot deadlock.
    for part in chunks(sorted(changed, key=lambda entry: str(entry[0].id)), LINES_PER_TRANSACTION):
        with database.writing() as connection:
            for row, wait in part:
                same = (executions.c.id == row.id, executions.c.waiting_cause.is_not_distinct_from(row.waiting_cause))
                noted = connection.execute(update(executions).where(*same, _OPEN).values(waiting_cause=_cause(wait)))
                if noted.rowcount:
                    logs.append(connection, row.id, [_line(row, wait)])
    return len(changed)


def metrics(database: Database) -> Iterator[Metric]:
    """How many open executions and files wait, by cause, from the database."""
    with database.reading() as connection:
        waiting: dict[str, int] = dict(connection.execute(_BY_CAUSE).all())
        waiting_files: dict[str, int] = dict(connection.execute(_FILES_BY_CAUSE).all())
    of_executions = GaugeMetricFamily(
        "docfleet_waiting_executions", "Open executions of which nothing is worked on, by cause.", labels=["cause"]
    )
    of_files = GaugeMetricFamily(
        "docfleet_waiting_files", "Open files that a worker could not go on with, by cause.", labels=["cause"]
    )
    for cause in WaitCause:
        of_executions.add_metric([cause.value], waiting.get(cause.value, 0))
        of_files.add_metric([cause.value], waiting_files.get(cause.value, 0))
    yield of_executions
    yield of_files


def _cause(wait: PresentWait | None) -> str | None:
    return None if wait is None else wait.cause.value


def _line(execution: Record, wait: PresentWait | None) -> LogEvent:
    return LogEvent(
        event_id=f"wait-{new_id()}",
        timestamp=time.time(),
        execution_id=execution.id,
        organization_id=execution.organization_id,
        level=LogLevel.INFO if wait is None else LogLevel.WARN,
        stage=LogStage.PROCESSING.value,
        log="The execution goes on" if wait is None else f"The execution waits: {wait.text}",
        channel=execution.execution_log_id,
    )
