"""Attempts to deliver a batch: the claim of the notification worker, its report, backoff, dead letters."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, Float, and_, bindparam, case, func, or_, select, update

from docfleet.backend.platform.db import Record, clean, db_now
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.tables.notifications import notification_batches, notification_events, notifications
from docfleet.core.errors import NotFound
from docfleet.core.notify import EventData, NotificationBatchClaim, NotificationBatchReport, NotificationState

log = structlog.get_logger(__name__)

MAX_ERROR_LENGTH = 500
MIN_WAIT_SECONDS = 1.0
_batches = notification_batches.c


class Backoff(msgspec.Struct, frozen=True):
    """Seconds until the next attempt: ``first``, doubled each time up to ``longest``, plus or minus a fifth."""

    first: float
    longest: float

    def after(self, attempts: int, retry_after: float | None) -> float:
        """The wait after this number of attempts; never less than the target requests."""
        wait = min(self.first * 2.0 ** min(attempts - 1, 30), self.longest)
        # Jitter: targets that are available again must not get everything in the same second.
        return max(wait * random.uniform(0.8, 1.2), retry_after or 0.0, MIN_WAIT_SECONDS)


def claim(
    connection: Connection, cipher: Cipher, organization_id: str, batch_id: str, lease_seconds: float
) -> NotificationBatchClaim:
    """Give the batch to a worker for ``lease_seconds``, unless another worker has it or it is not due.

    The attempt is counted now, so an attempt that ends with its worker is counted, too. Raises ``NotFound``.
    """
    free = or_(
        and_(
            _batches.state == NotificationState.SENDING.value, or_(~_batches.claimed, _batches.lease_until < db_now())
        ),
        and_(_batches.state == NotificationState.WAITING.value, _batches.next_attempt_at <= db_now()),
    )
    active = _batches.notification_id.in_(select(notifications.c.id).where(notifications.c.is_active))
    taken = connection.execute(
        update(notification_batches)
        .where(_batches.id == batch_id, _batches.organization_id == organization_id, free, active)
        .values(
            state=NotificationState.SENDING.value,
            claimed=True,
            dispatches=0,
            attempts=_batches.attempts + 1,
            lease_until=db_now() + bindparam("seconds", lease_seconds, type_=Float),
        )
        .returning(_batches.notification_id, _batches.attempts)
    ).one_or_none()
    if taken is None:
        _find(connection, organization_id, batch_id)
        return NotificationBatchClaim(granted=False)
    notification = connection.execute(select(notifications).where(notifications.c.id == taken.notification_id)).one()
    events = connection.scalars(
        select(notification_events.c.data)
        .where(notification_events.c.batch_id == batch_id)
        .order_by(notification_events.c.created_at, notification_events.c.id)
    )
    return NotificationBatchClaim(
        granted=True,
        name=notification.name,
        provider=notification.provider,
        settings=cipher.decrypt(notification.settings),
        events=[msgspec.convert(data, EventData) for data in events],
        attempt=taken.attempts,
    )


def report(
    connection: Connection, organization_id: str, batch_id: str, sent: NotificationBatchReport, backoff: Backoff
) -> NotificationState:
    """Write the outcome of an attempt. Returns the new state of the batch. Raises ``NotFound``.

    A delivery counts from any worker, however late its report comes. Every other outcome counts only from the last
    attempt.
    """
    batch = _find(connection, organization_id, batch_id, lock=True)
    notification = connection.execute(select(notifications).where(notifications.c.id == batch.notification_id)).one()
    if sent.outcome == "delivered":
        if batch.state != NotificationState.DELIVERED:
            _write(connection, batch, state=NotificationState.DELIVERED.value, finished_at=db_now(), last_error="")
        return NotificationState.DELIVERED
    if batch.state != NotificationState.SENDING or not batch.claimed or batch.attempts != sent.attempt:
        return NotificationState(batch.state)
    error = clean(sent.error, MAX_ERROR_LENGTH)
    if sent.outcome == "deferred":
        _defer(connection, batch, notification.host, max(sent.retry_after or 0.0, MIN_WAIT_SECONDS), error)
        return NotificationState.WAITING
    if sent.outcome == "rejected" or batch.attempts >= notification.max_attempts:
        _write(connection, batch, state=NotificationState.DEAD.value, finished_at=db_now(), last_error=error)
        log.warning(
            "notification.dead",
            notification_id=notification.id,
            batch_id=batch.id,
            attempts=batch.attempts,
            error=error,
        )
        return NotificationState.DEAD
    wait = backoff.after(batch.attempts, sent.retry_after)
    _write(connection, batch, state=NotificationState.WAITING.value, next_attempt_at=db_now() + wait, last_error=error)
    return NotificationState.WAITING


def _defer(connection: Connection, batch: Record, host: str | None, wait: float, error: str | None) -> None:
    """Its target does not answer: neither this batch nor another one to that host is tried for ``wait`` seconds."""
    until = db_now() + bindparam("wait", wait, type_=Float)
    _write(
        connection,
        batch,
        state=NotificationState.WAITING.value,
        attempts=batch.attempts - 1,
        next_attempt_at=until,
        last_error=error,
    )
    same = _batches.notification_id.in_(select(notifications.c.id).where(notifications.c.host == host))
    connection.execute(
        update(notification_batches)
        .where(_batches.state == NotificationState.WAITING.value, same, _batches.next_attempt_at < until)
        .values(next_attempt_at=until)
    )


def _write(connection: Connection, batch: Record, **values: object) -> None:
    statement = update(notification_batches).where(_batches.id == batch.id)
    connection.execute(statement.values(claimed=False, lease_until=0.0, **values))


def _find(connection: Connection, organization_id: str, batch_id: str, *, lock: bool = False) -> Record:
    statement = select(notification_batches).where(_batches.id == batch_id, _batches.organization_id == organization_id)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise NotFound(f"there is no batch {batch_id} of notifications in this organization")
    return row


_STATE: Any = func.coalesce(_batches.state, NotificationState.WAITING.value)
STATES = [state.value for state in NotificationState]
_COUNTS = (
    select(*(func.coalesce(func.sum(case((state == _STATE, 1), else_=0)), 0).label(state) for state in STATES))
    .select_from(notification_events)
    .outerjoin(notification_batches, notification_events.c.batch_id == _batches.id)
)


def counts(connection: Connection) -> dict[str, int]:
    """How many events are in each state."""
    row = connection.execute(_COUNTS).one()
    return {state: int(row._mapping[state]) for state in STATES}
