"""The sweep: it guarantees that every accepted execution ends.

The chord of batches is the fast path. The sweep recovers what it lost: leases that ran out, lost messages, executions
that were not finalized. One sweeper at a time (a lease row), each execution in a transaction of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import structlog
from sqlalchemy import ColumnElement, Connection, and_, exists, select, text, update

from docfleet.backend.executions import claims, finalize, lost_workers, messages, open_batches, repository
from docfleet.backend.executions.fair_share import Policy
from docfleet.backend.executions.free_files import is_free
from docfleet.backend.executions.overdue import Overdue
from docfleet.backend.executions.service import is_unsent
from docfleet.backend.platform.db import Database, Record, chunks, db_now, upsert
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.settings import BackendSettings
from docfleet.backend.tables.executions import executions, leases
from docfleet.backend.tables.files import OPEN_FILE
from docfleet.backend.tables.files import file_executions as files
from docfleet.backend.tables.workflows import workflows
from docfleet.core.errors import BrokerUnavailable
from docfleet.core.faults import point
from docfleet.core.files import FileHashData
from docfleet.core.ids import new_id
from docfleet.core.names import STOP_EXECUTION, ExecutionQueues, QueueName, WorkflowType, execution_queues
from docfleet.core.status import FINAL, ExecutionStatus

log = structlog.get_logger(__name__)

LEASE_NAME = "sweep"
LEASE_SECONDS = 10.0
"""How long a dead sweeper blocks others. A living one renews the lease between executions."""
FILES_PER_MESSAGE = 50
MAX_EXECUTIONS = 200
MAX_FILES = 1000

_NOT_FINAL = executions.c.status.in_((ExecutionStatus.PENDING.value, ExecutionStatus.EXECUTING.value))
_ACTIVE = and_(_NOT_FINAL, executions.c.stop_requested_at.is_(None))
_RUNNING = and_(_ACTIVE, executions.c.status == ExecutionStatus.EXECUTING.value)
_LISTED = executions.c.batch_count > 0
_OWN_FILES = files.c.execution_id == executions.c.id
_HELD = and_(files.c.status == ExecutionStatus.EXECUTING.value, files.c.lease_until >= db_now())
# Without executions whose workers still report: there may be more of them than one sweep handles.
_STOPPING = and_(_NOT_FINAL, executions.c.stop_requested_at.is_not(None), ~exists().where(_OWN_FILES, _HELD))
_UNCLOSED = and_(
    executions.c.status.in_([status.value for status in FINAL]),
    # The query starts from the files, because open files have an index.
    executions.c.id.in_(select(files.c.execution_id).where(text(OPEN_FILE))),
)
_API = workflows.c.deployment_type == WorkflowType.API.value
_CANDIDATES = select(executions.c.id, executions.c.organization_id, workflows.c.deployment_type).join(
    workflows, workflows.c.id == executions.c.workflow_id
)
_LOST = and_(files.c.status == ExecutionStatus.EXECUTING.value, is_free())


class SweepResult(msgspec.Struct):
    """The result of one sweep. ``poisoned`` files ended after too many attempts, ``expired`` executions by a deadline;
    ``failed`` executions raised an error."""

    redispatched_files: int = 0
    redispatched_executions: int = 0
    finalized: int = 0
    poisoned: int = 0
    expired: int = 0
    failed: int = 0


class Sweep:
    """One sweep over all organizations."""

    def __init__(self, database: Database, dispatcher: Dispatcher, settings: BackendSettings) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._settings = settings
        self._caps = claims.Caps.of(settings)
        self._policy = Policy.of(settings)
        self._deadline = settings.dispatch_deadline_seconds
        self._busy: dict[QueueName, bool | None] = {}
        self._owner = new_id()
        self._renewed = 0.0
        self.is_leader = False
        """Whether this sweeper held the lease and swept."""
        self._result = SweepResult()
        self._messages: list[messages.TaskMessage] = []
        self._expiring: list[str] = []

    def run(self) -> SweepResult:
        """Sweep, unless another sweeper holds the lease: then all numbers are 0."""
        self.is_leader = self._acquire_lease()
        if not self.is_leader:
            return self._result
        try:
            self._free_lost_workers()
            for where, step in self._steps():
                for candidate in self._candidates(where):
                    self._renew_lease()
                    self._handle(candidate, where, step)
                    point("sweep.middle")
        finally:
            self._send()  # also after a failure: the committed rows say that these messages are sent
            with self._database.writing() as connection:
                connection.execute(update(leases).where(leases.c.owner == self._owner).values(until=0.0))
        if any(msgspec.structs.astuple(self._result)):
            log.info("sweep.done", **msgspec.structs.asdict(self._result))
        return self._result

    def _free_lost_workers(self) -> None:
        """Free what dead workers held, and have the rest of this sweep send it again."""
        queues = {QueueName(queue) for worker in lost_workers.free(self._database) for queue in worker.queues}
        for api in (True, False):
            orchestration, batches, *_ = execution_queues(is_api=api)
            if orchestration in queues:
                waiting = lost_workers.BusyQueues(self._is_busy(orchestration), self._is_busy(batches))
                with self._database.writing() as connection:
                    lost_workers.hasten(connection, _API if api else ~_API, waiting)

    def _steps(self) -> Iterator[tuple[ColumnElement[bool], Any]]:
        """Conditions, each with the step for the executions that meet it. The next sweep handles what this one
        leaves."""
        yield _UNCLOSED, self._close
        yield _STOPPING, self._finalize
        if self._settings.execution_deadline_seconds > 0:
            overdue = executions.c.created_at < db_now() - self._settings.execution_deadline_seconds
            yield and_(_ACTIVE, overdue), self._expire
        stuck = executions.c.progress_at < db_now() - self._settings.orchestration_timeout_seconds
        yield and_(_ACTIVE, executions.c.dispatched_at.is_(None), stuck), self._abandon
        dispatched = and_(_RUNNING, executions.c.dispatched_at.is_not(None))
        yield from self._repeat(
            lambda overdue: and_(dispatched, exists().where(_OWN_FILES, _LOST, overdue.file(executions.c))),
            lambda queues: queues.batches,
            self._redispatch_files,
        )
        unfinished = exists().where(_OWN_FILES, files.c.status.in_(("PENDING", "EXECUTING")))
        yield and_(dispatched, _LISTED, ~unfinished), self._finalize
        # The batches brought the files, and nobody told that they ended.
        yield from self._repeat(
            lambda overdue: and_(dispatched, ~_LISTED, ~unfinished, overdue.batches()),
            lambda queues: queues.batches,
            self._close_listing,
        )
        short = executions.c.open_batches < executions.c.batch_count
        yield and_(dispatched, short, open_batches.HAS_NEW_FILES), self._send_more
        sent = and_(dispatched, executions.c.parked_at.is_(None))
        pending = and_(sent, exists().where(_OWN_FILES, files.c.status == ExecutionStatus.PENDING.value))
        yield from self._repeat(
            lambda overdue: and_(pending, overdue.batches()),
            lambda queues: queues.batches,
            self._send_batch,
        )
        undispatched = and_(_ACTIVE, executions.c.dispatched_at.is_(None))
        yield from self._repeat(
            lambda overdue: and_(undispatched, overdue.orchestration()),
            lambda queues: queues.orchestration,
            self._send_execution,
        )

    def _repeat(
        self,
        waiting: Callable[[Overdue], ColumnElement[bool]],
        queue_of: Callable[[ExecutionQueues], QueueName],
        step: Any,
    ) -> Iterator[tuple[ColumnElement[bool], Any]]:
        """Repeat ``step`` where work waits too long. What is too long depends on the messages in its queue."""
        for api in (True, False):
            queue, kind = queue_of(execution_queues(is_api=api)), _API if api else ~_API
            soonest = Overdue(self._deadline, api=api, busy=False)
            if self._candidates(and_(waiting(soonest), kind)) and (overdue := self._overdue(queue, api=api)):
                yield and_(waiting(overdue), kind), step

    def _overdue(self, queue: QueueName, *, api: bool) -> Overdue | None:
        """The conditions of lost work in ``queue``; None when the broker is unavailable."""
        busy = self._is_busy(queue)
        return None if busy is None else Overdue(self._deadline, api=api, busy=busy)

    def _is_busy(self, queue: QueueName) -> bool | None:
        """Whether messages wait in ``queue``; None when the broker is unavailable."""
        if queue not in self._busy:
            try:
                self._busy[queue] = self._dispatcher.waiting(queue) > 0
            except BrokerUnavailable as error:
                log.warning("sweep.broker_unavailable", queue=queue.value, error=error.message)
                self._busy = dict.fromkeys(QueueName)
        return self._busy[queue]

    def _candidates(self, where: ColumnElement[bool]) -> list[Record]:
        with self._database.reading() as connection:
            return list(
                connection.execute(_CANDIDATES.where(where).order_by(executions.c.progress_at).limit(MAX_EXECUTIONS))
            )

    def _handle(self, candidate: Record, where: ColumnElement[bool], step: Any) -> None:
        try:
            self._handle_locked(candidate, where, step)
        except Exception:  # the boundary of an execution: all the others wait for the sweep
            log.exception("sweep.execution_failed", execution_id=candidate.id)
            self._result.failed += 1
            self._database.check()

    def _handle_locked(self, candidate: Record, where: ColumnElement[bool], step: Any) -> None:
        with self._database.writing() as connection:
            execution = repository.lock_free_execution(connection, candidate.id)
            if execution is None:
                return  # another transaction works on it or hangs: the other executions must not wait
            # Checked again under the lock: a sweeper that was paused must not act on old rows.
            if connection.execute(_CANDIDATES.where(executions.c.id == candidate.id, where)).one_or_none() is not None:
                step(connection, execution, candidate.deployment_type)

    def _close(self, connection: Connection, execution: Record, workflow_type: str) -> None:
        """Stop the files that are still open, and free their leases."""
        finalize.close(connection, execution)

    def _expire(self, connection: Connection, execution: Record, workflow_type: str) -> None:
        seconds = self._settings.execution_deadline_seconds
        cause = f"the deadline passed: the execution was not done {seconds:.0f} seconds after it was created"
        if not finalize.expire(connection, execution, cause, "deadline_exceeded"):
            self._expiring.append(execution.id)
        self._result.expired += 1

    def _abandon(self, connection: Connection, execution: Record, workflow_type: str) -> None:
        seconds = self._settings.orchestration_timeout_seconds
        cause = (
            f"no worker listed the source within {seconds:.0f} seconds; "
            "check that a general worker runs and reaches the broker, then run the workflow again"
        )
        self._result.expired += finalize.fail(connection, execution, cause, "orchestration_timeout")

    def _redispatch_files(self, connection: Connection, execution: Record, workflow_type: str) -> None:
        api = workflow_type == WorkflowType.API
        overdue = self._overdue(execution_queues(is_api=api).batches, api=api)
        if overdue is None:
            return
        rows = connection.execute(
            select(*claims.CLAIM_COLUMNS)
            .where(files.c.execution_id == execution.id, _LOST, overdue.file(execution))
            .order_by(files.c.file_number)
            .limit(MAX_FILES)
            .with_for_update()
        ).all()
        spent = [row for row in rows if self._caps.is_exhausted(row)]
        claims.give_up(connection, execution, spent)
        self._result.poisoned += len(spent)
        again = [row for row in rows if not self._caps.is_exhausted(row)]
        for part in self._groups(again):
            named = [(row.id, msgspec.convert(row.data, FileHashData)) for row in part]
            self._messages.append(messages.batch(execution, workflow_type, named))
            connection.execute(
                update(files).where(files.c.id.in_([row.id for row in part])).values(redispatched_at=db_now())
            )
        self._result.redispatched_files += len(again)

    def _groups(self, rows: list[Record]) -> Iterator[list[Record]]:
        """The files of each message. A file on its last attempt has a message of its own (see ``claims``)."""
        last = [row for row in rows if self._caps.is_last_attempt(row)]
        ids = {row.id for row in last}
        yield from chunks([row for row in rows if row.id not in ids], FILES_PER_MESSAGE)
        yield from ([row] for row in last)

    def _finalize(self, connection: Connection, execution: Record, workflow_type: str) -> None:
        self._note_end(execution, workflow_type, ended=finalize.end_if_done(connection, execution))

    def _close_listing(self, connection: Connection, execution: Record, workflow_type: str) -> None:
        ended = finalize.end_if_done(connection, execution, batches_ended=True)
        self._note_end(execution, workflow_type, ended=ended)

    def _note_end(self, execution: Record, workflow_type: str, *, ended: bool) -> None:
        if ended:
            self._result.finalized += 1
            self._messages.append(messages.callback(execution, workflow_type))

    def _send_batch(self, connection: Connection, execution: Record, workflow_type: str) -> None:
        waiting = connection.scalar(
            select(files.c.id)
            .where(
                files.c.execution_id == execution.id, text(OPEN_FILE), files.c.status == ExecutionStatus.PENDING.value
            )
            .limit(1)
        )
        if waiting is not None:
            self._messages.append(messages.batch(execution, workflow_type, []))
            self._note_redispatch(connection, execution)

    def _send_more(self, connection: Connection, execution: Record, workflow_type: str) -> None:
        """Batches that the execution lacks: its organization may have room since another one's end."""
        self._messages += open_batches.more(connection, execution, workflow_type, self._policy)

    def _send_execution(self, connection: Connection, execution: Record, workflow_type: str) -> None:
        self._messages.append(messages.orchestrate(execution, workflow_type))
        if is_unsent(execution):  # from now on it waits for a worker, not for the broker
            connection.execute(update(executions).where(executions.c.id == execution.id).values(waiting=None))
        self._note_redispatch(connection, execution)

    def _note_redispatch(self, connection: Connection, execution: Record) -> None:
        connection.execute(update(executions).where(executions.c.id == execution.id).values(redispatched_at=db_now()))
        self._result.redispatched_executions += 1

    def _send(self) -> None:
        for execution_id in self._expiring:  # workers hold files of it
            self._dispatcher.broadcast(STOP_EXECUTION, {"execution_id": execution_id})
        for message in self._messages:
            try:
                message.send(self._dispatcher)
            except BrokerUnavailable as error:
                # The next sweep after the dispatch deadline tries again.
                log.warning("sweep.dispatch_failed", task=message.task.value, error=error.message)
                return

    def _acquire_lease(self) -> bool:
        self._renewed = time.monotonic()
        with self._database.writing() as connection:
            values = {"owner": self._owner, "until": db_now() + LEASE_SECONDS}
            statement = upsert(connection, leases).values(name=LEASE_NAME, **values)
            taken = statement.on_conflict_do_update(
                index_elements=["name"], set_=values, where=leases.c.until < db_now()
            )
            return connection.execute(taken.returning(leases.c.owner)).one_or_none() is not None

    def _renew_lease(self) -> None:
        # A lease that was taken over while this sweeper was paused is not taken back: two sweepers are harmless.
        if time.monotonic() - self._renewed > LEASE_SECONDS / 3:
            self._renewed = time.monotonic()
            with self._database.writing() as connection:
                mine = update(leases).where(leases.c.name == LEASE_NAME, leases.c.owner == self._owner)
                connection.execute(mine.values(until=db_now() + LEASE_SECONDS))
