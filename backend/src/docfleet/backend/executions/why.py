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
from docfleet.core.names import QueueName, WorkerType, WorkflowType, execution_queues
from docfleet.core.status import OPEN, ExecutionStatus
from docfleet.core.waiting import WaitCause, Waiting

MAX_FILES = 50

_OPEN_FILES = (files.c.execution_id == bindparam("execution_id"), text(OPEN_FILE))
_HELD = and_(files.c.owner.is_not(None), files.c.lease_until >= db_now())
_LOST = or_(files.c.lease_until > 0, files.c.strikes > 0, files.c.losses > 0)
FACTS = (_HELD.label("held"), _LOST.label("lost"), files.c.waiting_cause)
"""All that decides about the cause of an open file."""
_GROUPS = (
    select(files.c.execution_id, *FACTS, func.count().label("number"))
    .where(files.c.execution_id.in_(bindparam("execution_ids", expanding=True)), text(OPEN_FILE))
    .group_by(files.c.execution_id, *FACTS)
)
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
    WaitCause.LONG_RUN: "it takes long, and its runner is at as many long documents as it may be",
    WaitCause.BACKOFF: "an attempt at it was lost, and the next one follows",
}


class Facts:
    """What decides about the causes of many executions, read at once: their open files in groups that agree in FACTS,
    and the queues without a worker."""

    def __init__(self, connection: Connection, execution_ids: Sequence[str]) -> None:
        self._connection = connection
        self._missing: dict[QueueName, dict[WorkerType, float | None]] = {}
        self._groups: dict[str, list[Record]] = {}
        for part in chunks(list(execution_ids)):
            for group in connection.execute(_GROUPS, {"execution_ids": part}):
                self._groups.setdefault(group.execution_id, []).append(group)

    def groups(self, execution_id: str) -> list[Record]:
        """The open files of the execution: FACTS and their ``number``."""
        return self._groups.get(execution_id, [])

    def missing(self, queue: QueueName) -> dict[WorkerType, float | None]:
        """The type of worker that does not consume the queue, and when one was seen last; empty when one does."""
        if queue not in self._missing:
            self._missing[queue] = presence.missing(self._connection, [queue])
        return self._missing[queue]


class Reasons:
    """What one execution waits for. ``execution`` is its row."""

    def __init__(
        self, connection: Connection, execution: Record, workflow_type: str, facts: Facts | None = None
    ) -> None:
        self._connection = connection
        self._execution = execution
        self._is_api = workflow_type == WorkflowType.API
        queues = execution_queues(is_api=self._is_api)
        self._queue = queues.batches if self._is_dispatched else queues.orchestration
        """Where its messages lie now."""
        facts = facts or Facts(connection, [execution.id])
        self._missing = facts.missing(self._queue)
        self._groups = facts.groups(execution.id)

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

    def cause_of_execution(self) -> WaitCause | None:
        """The cause of ``of_execution``, without another query."""
        return self._cause_of_execution(self._causes())

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
        for group in self._groups:
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
        if self._execution.parked_at is not None:
            return WaitCause.ORGANIZATION_SHARE
        return reported or (WaitCause.BACKOFF if row.lost else WaitCause.SLOT)

    @property
    def _is_dispatched(self) -> bool:
        return self._execution.dispatched_at is not None

    def _cause_of_execution(self, causes: Counter[WaitCause | None]) -> WaitCause | None:
        execution = self._execution
        if repository.is_final(execution):
            return None
        if execution.stop_requested_at is not None:
            return WaitCause.STOPPING
        if self._is_dispatched:
            return None if causes[None] else next((cause for cause in WaitCause if causes[cause]), WaitCause.SLOT)
        if self._missing:
            return WaitCause.NO_WORKER
        if execution.waiting is not None:
            return WaitCause(execution.waiting["cause"])
        # A worker lists the source of an execution that is EXECUTING.
        return WaitCause.SLOT if execution.status == ExecutionStatus.PENDING.value else None

    def _of_execution(self, causes: Counter[WaitCause | None]) -> PresentWait | None:
        cause = self._cause_of_execution(causes)
        if cause is None:
            return None
        stored = self._execution.waiting
        if self._is_dispatched:
            parameters = {"execution_id": self._execution.id, "cause": cause.value}
            stored = self._connection.scalar(_EARLIEST, parameters)
        return self._present(cause, None if stored is None else Waiting.from_dict(stored))

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
        if cause is WaitCause.ORGANIZATION_SHARE:
            return PresentWait(cause=cause, text=_TEXTS[cause], since=iso(self._execution.parked_at))
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
        ahead = _WAITING_FOR_A_SLOT if self._is_dispatched else _WAITING_TO_BE_LISTED
        number = self._connection.scalar(ahead, {"sent_at": self._sent_at(), "is_api": self._is_api}) or 0
        what = "a slot of a file worker" if self._is_dispatched else "a worker that lists its source"
        ahead_of_it = "1 execution is" if number == 1 else f"{number} executions are"
        return f"it waits for {what}; {ahead_of_it} ahead of it" if number else f"it waits for {what}"


def reasons(connection: Connection, organization_id: str, execution_id: str) -> Reasons:
    """What the execution waits for. Raises ``NotFound``."""
    execution = repository.find(connection, organization_id, execution_id)
    return Reasons(connection, execution, find(connection, organization_id, execution.workflow_id).deployment_type)
