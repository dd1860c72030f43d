"""When work that was sent counts as lost: after the dispatch deadline without a sign of it.

While messages lie in its queue it is most likely among them, and the sweep is patient: a copy for each of them would
make a long queue longer. It is not when the queue has moved past it, which a later execution shows that was taken.
"""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy import ColumnElement, and_, case, exists, func, or_

from docfleet.backend.executions import lost
from docfleet.backend.platform.db import db_now
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import file_executions as files
from docfleet.backend.tables.workflows import workflows
from docfleet.core.names import WorkflowType

BACKLOG_FACTOR = 10
"""While messages wait in its queue, work that nothing has overtaken is sent again only after so many deadlines."""
_BLINK_SECONDS = 0.01
"""Two readings of the clock in one statement are no further apart."""

_later = executions.alias()
_its_workflow = workflows.alias()


class ExecutionColumns(Protocol):
    """The table's columns, or one row of it."""

    organization_id: Any
    created_at: Any


class Overdue:
    """Conditions for one kind of execution. ``busy``: messages lie in the queue of what is asked about."""

    def __init__(self, deadline: float, *, api: bool, busy: bool) -> None:
        self._deadline = deadline
        self._of_kind = (_its_workflow.c.deployment_type == WorkflowType.API.value) == api
        self._busy = busy

    def batches(self) -> ColumnElement[bool]:
        """Of an execution's batches nothing was heard."""
        sent = func.coalesce(executions.c.redispatched_at, executions.c.dispatched_at)
        return self._quiet(self._patience(executions.c, _batch_taken_since(sent)))

    def orchestration(self) -> ColumnElement[bool]:
        """Nothing was heard of an execution that nobody has begun."""
        sent = func.coalesce(executions.c.redispatched_at, executions.c.created_at)
        return self._quiet(self._patience(executions.c, _later.c.created_at > sent))

    def file(self, execution: ExecutionColumns) -> ColumnElement[bool]:
        """Of a file nobody has: no message about it is under way."""
        sent = files.c.redispatched_at
        patience = self._patience(execution, _batch_taken_since(sent))
        # Somebody had it since it was sent again: it was lost once more, and nothing of it lies in a queue.
        return or_(sent.is_(None), sent < files.c.modified_at, sent < db_now() - patience)

    def _quiet(self, patience: Any) -> ColumnElement[bool]:
        """Nothing was heard of it for so long, and the last repeat is as long ago."""
        repeated = executions.c.redispatched_at
        silent = and_(
            executions.c.progress_at < db_now() - patience,
            or_(repeated.is_(None), repeated < db_now() - patience),
            # Each repeat waits twice as long as the one before: a long queue must not fill with copies.
            or_(repeated.is_(None), db_now() - repeated > repeated - executions.c.progress_at),
        )
        return or_(repeated == lost.DUE, silent)

    def _patience(self, execution: ExecutionColumns, overtook: ColumnElement[bool]) -> Any:
        """Seconds. ``overtook``: the message of a later execution, sent after this one's, was taken."""
        if not self._busy:
            return self._deadline
        overtaken = exists().where(
            # The index: of those that came later alone.
            _later.c.organization_id == execution.organization_id,
            _later.c.created_at > execution.created_at,
            # For so long that whoever took this one at that time would have been heard of.
            _later.c.dispatched_at < db_now() - self._deadline,
            overtook,
            _its_workflow.c.id == _later.c.workflow_id,
            self._of_kind,
        )
        return case((overtaken, self._deadline), else_=BACKLOG_FACTOR * self._deadline)


def _batch_taken_since(sent: ColumnElement[Any]) -> ColumnElement[bool]:
    claimed = _later.c.progress_at > _later.c.dispatched_at + _BLINK_SECONDS
    return and_(_later.c.dispatched_at > sent, claimed)
