"""One tick of the schedules: executions that are due are created, and sent once they are committed.

Any number of schedulers may tick at once. One of them handles a due pipeline, under the lock of its row. The row of a
tick is written in the transaction that writes its execution and moves the pipeline on to its next tick. A process that
dies before the commit has done nothing. The sweep sends what was committed and not sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, bindparam, func, select, text, update

from docfleet.backend.executions import service
from docfleet.backend.executions.service import Created, NewExecution
from docfleet.backend.platform.db import Database, Record, db_now
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.schedules import repository
from docfleet.backend.schedules.decision import Next, come_due, decide
from docfleet.backend.schedules.timetable import Timetable
from docfleet.backend.settings import BackendSettings
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.pipelines import pipelines
from docfleet.backend.tables.schedules import QUEUED_TICK, schedule_ticks
from docfleet.core.errors import DocfleetError
from docfleet.core.faults import point
from docfleet.core.ids import new_id
from docfleet.core.schedule import TickOutcome, TickResult
from docfleet.core.status import OPEN

type _Decided = tuple[TickOutcome, Created | None]
type _Step = Callable[[Connection, DocfleetError | None], list[_Decided]]

log = structlog.get_logger(__name__)

PIPELINES_PER_TRANSACTION = 50
MAX_QUEUED = 200
SENDERS = 4
MAX_SECONDS = 60.0
"""The next tick continues with the rest."""
POSTPONED_SECONDS = 60
"""A pipeline whose handling failed is not due again for this many seconds, so that it blocks no other."""

_BUSY = select(executions.c.pipeline_id).where(
    executions.c.status.in_([status.value for status in OPEN]), executions.c.pipeline_id.is_not(None)
)
_QUEUED = select(schedule_ticks.c.pipeline_id).where(text(QUEUED_TICK))

_MOVE = (
    update(pipelines)
    .where(pipelines.c.id == bindparam("moved"))
    .values(next_tick_at=bindparam("tick_at"), next_run_at=bindparam("run_at"))
)


class Ticker:
    """One tick over all organizations."""

    def __init__(self, database: Database, dispatcher: Dispatcher, cipher: Cipher, settings: BackendSettings) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._cipher = cipher
        self._settings = settings
        self._result = TickResult()
        self._created: list[Created] = []
        self._broker_away = False

    def run(self) -> TickResult:
        """Create and send the executions that are due."""
        end = time.monotonic() + MAX_SECONDS
        sent: list[Future[None]] = []
        # The broker's confirmations are awaited during the next transaction, not before it.
        with ThreadPoolExecutor(SENDERS, "schedules") as senders:
            while time.monotonic() < end and self._take_due():
                sent += [senders.submit(self._send, created) for created in self._created]
                self._created.clear()
            self._take_queued()
            sent += [senders.submit(self._send, created) for created in self._created]
        for each in sent:
            each.result()
        if any(msgspec.structs.astuple(self._result)):
            log.info("schedules.ticked", **msgspec.structs.asdict(self._result))
        return self._result

    def _take_due(self) -> bool:
        """Handle as many due pipelines as one transaction takes; False when there was none."""
        with self._database.reading() as connection:
            # A bound value, because PostgreSQL uses no index for a comparison with a running clock.
            now = connection.scalar(select(db_now())) or 0.0
            due = pipelines.c.next_run_at <= now
            if connection.execute(select(pipelines.c.id).where(due).limit(1)).one_or_none() is None:
                return False
        with self._database.writing() as connection:
            # Rows that another scheduler has locked are skipped. (SQLite has one writer at a time.)
            rows = connection.execute(
                select(pipelines)
                .where(due)
                .order_by(pipelines.c.next_run_at)
                .limit(PIPELINES_PER_TRANSACTION)
                .with_for_update(key_share=True, skip_locked=True)
            ).all()
            # In one order in all schedulers: a creation locks its organization, where that has a quota.
            rows = sorted(rows, key=lambda row: row.organization_id)
            ids = [row.id for row in rows]
            busy = set(connection.scalars(_BUSY.where(executions.c.pipeline_id.in_(ids))))
            queued = set(connection.scalars(_QUEUED.where(schedule_ticks.c.pipeline_id.in_(ids))))
            try:
                with connection.begin_nested():
                    decided = self._due(rows, now, busy, queued, connection, None)
            except Exception:  # noqa: BLE001 - the boundary of these pipelines: handle them one by one to find the culprit
                for row in rows:
                    step = partial(self._due, [row], now, busy, queued)
                    if not self._handle(connection, row, step):
                        later = update(pipelines).where(pipelines.c.id == row.id)
                        connection.execute(later.values(next_run_at=int(now) + POSTPONED_SECONDS))
            else:
                self._count(decided)
            point("schedule.before_commit")
        point("schedule.committed")
        return bool(rows)

    def _take_queued(self) -> None:
        """Fire queued ticks whose pipeline is free again: one per pipeline, as the next one waits for its run."""
        waiting = _QUEUED.where(schedule_ticks.c.pipeline_id.not_in(_BUSY))
        with self._database.reading() as connection:
            ids = list(connection.scalars(waiting.distinct().limit(MAX_QUEUED)))
        if not ids:
            return
        with self._database.writing() as connection:
            rows = connection.execute(
                select(pipelines)
                .where(pipelines.c.id.in_(ids), pipelines.c.active)
                .where(pipelines.c.id.in_(waiting))  # checked again under the lock
                .with_for_update(key_share=True, skip_locked=True)
            ).all()
            for row in sorted(rows, key=lambda row: row.organization_id):
                self._handle(connection, row, partial(self._oldest_queued, row))

    def _handle(self, connection: Connection, row: Record, step: _Step) -> bool:
        """Handle one pipeline; False when it failed. A refused run has ``step`` called once more, to record it."""
        try:
            try:
                with connection.begin_nested():
                    decided = step(connection, None)
            except DocfleetError as error:
                log.warning("schedule.refused", pipeline_id=row.id, error=error.message)
                with connection.begin_nested():
                    decided = step(connection, error)
        except Exception:  # the boundary of a pipeline: the others are due, too
            log.exception("schedule.pipeline_failed", pipeline_id=row.id)
            self._result.failed += 1
            return False
        self._count(decided)
        return True

    def _count(self, decided: list[_Decided]) -> None:
        for outcome, created in decided:
            setattr(self._result, outcome.value, getattr(self._result, outcome.value) + 1)
            if created is not None:
                self._created.append(created)

    def _due(
        self,
        rows: Sequence[Record],
        now: float,
        busy: set[str],
        queued: set[str],
        connection: Connection,
        refusal: DocfleetError | None,
    ) -> list[_Decided]:
        """Decide about the due ticks of these pipelines and move them on to their next ones."""
        noted: dict[tuple[str, int], tuple[Record, TickOutcome, str | None]] = {}
        ticks: list[dict[str, Any]] = []
        moves: list[dict[str, Any]] = []
        for row in rows:
            decisions, following = self._decisions(row, now, busy=row.id in busy, queued=row.id in queued)
            for tick, decision in decisions:
                outcome, execution_id, detail = _noted(decision, refusal)
                noted[row.id, tick] = row, outcome, execution_id
                ticks.append(repository.tick(row.id, tick, outcome, execution_id, detail))
            moves.append({"moved": row.id, "tick_at": following.tick_at, "run_at": following.run_at})
        written = repository.note(connection, ticks)
        decided = [
            (outcome, self._create(connection, row, execution_id))
            for key, (row, outcome, execution_id) in noted.items()
            # Ticks are not fired again when a pipeline is moved back in time.
            if key in written
        ]
        connection.execute(_MOVE, moves)
        return decided

    def _decisions(
        self, row: Record, now: float, *, busy: bool, queued: bool
    ) -> tuple[list[tuple[int, TickOutcome]], Next]:
        schedule = repository.of(row)
        if schedule is None:  # impossible: it has a next run
            raise ValueError("a pipeline without a schedule is due")
        timetable = Timetable(schedule.cron, schedule.time_zone)
        ticks, following = come_due(timetable, schedule, row.id, row.next_tick_at, now)
        late = self._settings.schedule_late_seconds
        return decide(schedule, row.id, ticks, now, late, busy=busy, queued=queued), following

    def _oldest_queued(self, row: Record, connection: Connection, refusal: DocfleetError | None) -> list[_Decided]:
        queued = (schedule_ticks.c.pipeline_id == row.id, text(QUEUED_TICK))
        # In a statement of its own: the locking statement may have read before another scheduler's commit.
        if connection.scalar(_BUSY.where(executions.c.pipeline_id == row.id).limit(1)) is not None:
            return []
        tick = connection.scalar(select(func.min(schedule_ticks.c.scheduled_for)).where(*queued))
        outcome, execution_id, detail = _noted(TickOutcome.FIRED, refusal)
        if tick is None or not repository.release(connection, row.id, tick, outcome, execution_id, detail):
            return []
        return [(outcome, self._create(connection, row, execution_id))]

    def _create(self, connection: Connection, row: Record, execution_id: str | None) -> Created | None:
        if execution_id is None:
            return None
        new = NewExecution(execution_id=execution_id, workflow_id=row.workflow_id, pipeline_id=row.id, scheduled=True)
        return service.write(connection, self._cipher, self._settings, row.organization_id, new)

    def _send(self, created: Created) -> None:
        """Send what was committed. Once the broker is unavailable, nothing more is tried: the sweep sends it."""
        if not self._broker_away:
            self._broker_away = not service.send(self._dispatcher, created)


def _noted(outcome: TickOutcome, refusal: DocfleetError | None) -> tuple[TickOutcome, str | None, str | None]:
    """The contents of a tick's row: the outcome, the id of its future execution, and why there is none."""
    if outcome is not TickOutcome.FIRED:
        return outcome, None, None
    return (TickOutcome.FIRED, new_id(), None) if refusal is None else (TickOutcome.REFUSED, None, refusal.message)
