"""Why an open execution, or an open file of it, is not being worked on: one present cause.

What a worker knows it reports (``hand_backs``). The rest follows from the rows: who holds a lease, which workers live,
how many executions are ahead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, exists, func, or_, select, text

from docfleet.backend.executions import repository
from docfleet.backend.files import listing as file_listing
from docfleet.backend.platform.db import Record, chunks, db_now, iso
from docfleet.backend.presence import repository as presence
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import OPEN_FILE
from docfleet.backend.tables.files import file_executions as files
from docfleet.backend.tables.workflows import workflows
from docfleet.backend.workflows.repository import find
from docfleet.core.management.executions import PresentWait, WaitReasons
from docfleet.core.names import WorkflowType, execution_queues
from docfleet.core.status import OPEN, ExecutionStatus
from docfleet.core.waiting import WaitCause, Waiting

MAX_FILES = 50

_OPEN_FILES = (files.c.execution_id == bindparam("execution_id"), text(OPEN_FILE))
_HELD = and_(files.c.owner.is_not(None), files.c.lease_until >= db_now())
_LOST = or_(files.c.lease_until > 0, files.c.strikes > 0, files.c.losses > 0)
FACTS = (_HELD.label("held"), _LOST.label("lost"), files.c.waiting_cause)
"""All that decides about the cause of an open file."""
_GROUPS = select(*FACTS, func.count().label("number")).where(*_OPEN_FILES).group_by(*FACTS)
_ROWS = select(files, *FACTS[:2])
_FIRST = _ROWS.where(*_OPEN_FILES).order_by(files.c.file_number).limit(MAX_FILES)
_NAMED = _ROWS.where(*_OPEN_FILES, files.c.id.in_(bindparam("ids", expanding=True)))
_EARLIEST = (
    select(files.c.waiting)
    .where(*_OPEN_FILES, files.c.waiting_cause == bindparam("cause"), files.c.waiting.is_not(None))
    .order_by(files.c.file_number)
    .limit(1)
)
_ahead = (
    select(func.count())
    .select_from(executions.join(workflows, workflows.c.id == executions.c.workflow_id))
    .where(
        executions.c.status.in_([status.value for status in OPEN]),
        executions.c.stop_requested_at.is_(None),
        (workflows.c.deployment_type == WorkflowType.API.value) == bindparam("is_api"),
    )
)
_WAITING_TO_BE_LISTED = _ahead.where(
    executions.c.status == ExecutionStatus.PENDING.value, executions.c.created_at < bindparam("sent_at")
)
_WAITING_FOR_A_SLOT = _ahead.where(
    executions.c.dispatched_at < bindparam("sent_at"),
    exists().where(files.c.execution_id == executions.c.id, text(OPEN_FILE), ~_HELD),
)
_TEXTS = {
    WaitCause.STOPPING: "it is being stopped: a worker still holds a file of it",
    WaitCause.ORGANIZATION_SHARE: "its organization has as many open batches as its weight allows",
    WaitCause.RUNNER_AWAY: "the runner of its worker does not answer: start it, or check UNSTRACT_RUNNER_URL",
    WaitCause.BREAKER_OPEN: "calls failed several times in a row and pause",
    WaitCause.DESTINATION_AWAY: "the destination does not answer",
    WaitCause.DEPENDENCY_AWAY: "something that it needs does not answer",
    WaitCause.STORAGE_FULL: "the machine of its worker has no space to work in",
    WaitCause.MACHINE_TROUBLE: "the machine of its worker is in trouble",
    WaitCause.BACKOFF: "an attempt at it was lost, and the next one follows",
}


class Reasons:
    """What one execution waits for. ``execution`` is its row."""

    def __init__(self, connection: Connection, execution: Record, workflow_type: str) -> None:
        self._connection = connection
        self._execution = execution
        self._is_api = workflow_type == WorkflowType.API
        queues = execution_queues(is_api=self._is_api)
        self._queue = queues.orchestration if execution.dispatched_at is None else queues.batches
        """Where its messages lie now."""
        self._missing = presence.missing(connection, [self._queue])

    def all(self) -> WaitReasons:
        """The execution's cause, the numbers of its open files by cause, and the first of these files."""
        causes = self._causes()
        return WaitReasons(
            execution_id=self._execution.id,
            status=ExecutionStatus(self._execution.status),
            waiting=self._of_execution(causes),
            working=causes.pop(None, 0),
            causes={cause.value: number for cause, number in causes.items() if cause is not None},
            files=[file_listing.summary(row, self.of_file(row)) for row in self._rows(_FIRST)],
        )

    def of_execution(self) -> PresentWait | None:
        """Why nothing of it is being worked on; None when something is, or when it has ended."""
        return self._of_execution(self._causes())

    def of_files(self, page: Sequence[Record]) -> dict[str, PresentWait]:
        """Why open files of the page are not being worked on, by their id."""
        ids = [row.id for row in page if not ExecutionStatus(row.status).is_final]
        rows = [row for part in chunks(ids) for row in self._rows(_NAMED, ids=part)]
        waits = {row.id: self.of_file(row) for row in rows}
        return {file_execution_id: wait for file_execution_id, wait in waits.items() if wait is not None}

    def of_file(self, row: Record) -> PresentWait | None:
        """As ``of_files``, for a row with FACTS."""
        cause = self._cause(row)
        stored = None if row.waiting is None else Waiting.from_dict(row.waiting)
        return None if cause is None else self._present(cause, stored)

    def _rows(self, statement: Select[Any], **parameters: Any) -> Sequence[Record]:
        return self._connection.execute(statement, {"execution_id": self._execution.id, **parameters}).all()

    def _causes(self) -> Counter[WaitCause | None]:
        """Numbers of open files by cause; None stands for the files that are worked on."""
        causes: Counter[WaitCause | None] = Counter()
        for group in self._rows(_GROUPS):
            causes[self._cause(group)] += group.number
        return causes

    def _cause(self, row: Record) -> WaitCause | None:
        """The cause of a file, or of a group of files that agree in FACTS."""
        reported = None if row.waiting_cause is None else WaitCause(row.waiting_cause)
        if self._execution.stop_requested_at is not None:
            return WaitCause.STOPPING
        if row.held:
            return reported
        if self._missing:
            return WaitCause.NO_WORKER
        return reported or (WaitCause.BACKOFF if row.lost else WaitCause.SLOT)

    def _of_execution(self, causes: Counter[WaitCause | None]) -> PresentWait | None:
        execution = self._execution
        if repository.is_final(execution):
            return None
        if execution.stop_requested_at is not None:
            return self._present(WaitCause.STOPPING)
        if execution.dispatched_at is None:
            return self._of_listing()
        if causes[None]:
            return None
        cause = next((cause for cause in WaitCause if causes[cause]), WaitCause.SLOT)
        stored = self._connection.scalar(_EARLIEST, {"execution_id": execution.id, "cause": cause.value})
        return self._present(cause, None if stored is None else Waiting.from_dict(stored))

    def _of_listing(self) -> PresentWait | None:
        if self._missing:
            return self._present(WaitCause.NO_WORKER)
        if self._execution.waiting is not None:
            stored = Waiting.from_dict(self._execution.waiting)
            return self._present(stored.cause, stored)
        if self._execution.status == ExecutionStatus.EXECUTING.value:
            return None  # a worker lists its source
        return self._present(WaitCause.SLOT)

    def _present(self, cause: WaitCause, stored: Waiting | None = None) -> PresentWait:
        if stored is not None and stored.cause is cause:
            text = f"{_TEXTS[cause]}: {stored.detail}" if stored.detail else _TEXTS[cause]
            return PresentWait(
                cause=cause,
                text=text,
                since=iso(stored.since),
                until=iso(stored.until) if stored.until else None,
                attempt=stored.attempt or None,
                attempts=stored.attempts or None,
            )
        if cause is WaitCause.STOPPING:
            return PresentWait(cause=cause, text=_TEXTS[cause], since=iso(self._execution.stop_requested_at))
        if cause is WaitCause.NO_WORKER:
            return self._no_worker()
        if cause is WaitCause.SLOT:
            return PresentWait(cause=cause, text=self._place(), since=iso(self._sent_at()))
        return PresentWait(cause=cause, text=_TEXTS[cause])

    def _no_worker(self) -> PresentWait:
        kind, seen = next(iter(self._missing.items()))
        since = f"the last one was seen {iso(seen)}" if seen is not None else "none was ever seen"
        text = f"no worker of type {kind.value} takes the queue {self._queue.value} ({since}): start one"
        return PresentWait(cause=WaitCause.NO_WORKER, text=text, since=None if seen is None else iso(seen))

    def _sent_at(self) -> float:
        sent: float = self._execution.dispatched_at or self._execution.created_at
        return sent

    def _place(self) -> str:
        listing = self._execution.dispatched_at is None
        ahead = _WAITING_TO_BE_LISTED if listing else _WAITING_FOR_A_SLOT
        number = self._connection.scalar(ahead, {"sent_at": self._sent_at(), "is_api": self._is_api}) or 0
        what = "a worker that lists its source" if listing else "a slot of a file worker"
        ahead_of_it = "1 execution is" if number == 1 else f"{number} executions are"
        return f"it waits for {what}; {ahead_of_it} ahead of it" if number else f"it waits for {what}"


def reasons(connection: Connection, organization_id: str, execution_id: str) -> Reasons:
    """What the execution waits for. Raises ``NotFound``."""
    execution = repository.find(connection, organization_id, execution_id)
    return Reasons(connection, execution, find(connection, organization_id, execution.workflow_id).deployment_type)
