"""When dispatched work counts as lost: after the dispatch deadline without progress.

While messages wait in its queue, the work is most likely among them, and the sweep waits longer: copies would make a
long queue longer. It is not among them once the queue has moved past it: a worker has taken a later execution.
"""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy import ColumnElement, and_, case, exists, func, or_

from docfleet.backend.executions import lost_processes
from docfleet.backend.platform.db import db_now
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import file_executions as files
from docfleet.backend.tables.workflows import workflows
from docfleet.core.names import WorkflowType

BACKLOG_FACTOR = 10
"""While messages wait in its queue, work that was not overtaken is sent again only after this number of deadlines."""
CLOCK_TOLERANCE_SECONDS = 0.01
"""The greatest difference of two readings of the clock in one statement."""

_later = executions.alias()
_its_workflow = workflows.alias()


class ExecutionColumns(Protocol):
    """The table's columns, or one row of it."""

    organization_id: Any
    created_at: Any


class Overdue:
    """Conditions for one kind of execution. ``busy``: messages wait in the queue in question."""

    def __init__(self, deadline: float, *, api: bool, busy: bool) -> None:
        self._deadline = deadline
        self._of_kind = (_its_workflow.c.deployment_type == WorkflowType.API.value) == api
        self._busy = busy

    def batches(self) -> ColumnElement[bool]:
        """The batches of an execution made no progress."""
        sent = func.coalesce(executions.c.redispatched_at, executions.c.dispatched_at)
        return self._quiet(self._patience(executions.c, _batch_taken_since(sent)))

    def orchestration(self) -> ColumnElement[bool]:
        """An execution that no worker has started made no progress."""
        sent = func.coalesce(executions.c.redispatched_at, executions.c.created_at)
        return self._quiet(self._patience(executions.c, _later.c.created_at > sent))

    def file(self, execution: ExecutionColumns) -> ColumnElement[bool]:
        """No message about a file without an owner is in a queue."""
        sent = files.c.redispatched_at
        patience = self._patience(execution, _batch_taken_since(sent))
        # A worker had it after it was sent again: it was lost once more, and no queue has a message about it.
        return or_(sent.is_(None), sent < files.c.modified_at, sent < db_now() - patience)

    def _quiet(self, patience: Any) -> ColumnElement[bool]:
        """It made no progress for ``patience``, and the last repeat is as long ago."""
        repeated = executions.c.redispatched_at
        silent = and_(
            executions.c.progress_at < db_now() - patience,
            or_(repeated.is_(None), repeated < db_now() - patience),
            # Each repeat waits twice as long as the one before: a long queue must not fill with copies.
            or_(repeated.is_(None), db_now() - repeated > repeated - executions.c.progress_at),
        )
        return or_(repeated == lost_processes.DUE, silent)

    def _patience(self, execution: ExecutionColumns, overtook: ColumnElement[bool]) -> Any:
        """Seconds. ``overtook``: the message of a later execution, sent after this one's, was taken."""
        if not self._busy:
            return self._deadline
        overtaken = exists().where(
            # For the index: later executions only.
            _later.c.organization_id == execution.organization_id,
            _later.c.created_at > execution.created_at,
            # Long enough ago that a worker which took this one at that time would have made progress.
            _later.c.dispatched_at < db_now() - self._deadline,
            overtook,
            _its_workflow.c.id == _later.c.workflow_id,
            self._of_kind,
        )
        return case((overtaken, self._deadline), else_=BACKLOG_FACTOR * self._deadline)


def _batch_taken_since(sent: ColumnElement[Any]) -> ColumnElement[bool]:
    claimed = _later.c.progress_at > _later.c.dispatched_at + CLOCK_TOLERANCE_SECONDS
    return and_(_later.c.dispatched_at > sent, claimed)
