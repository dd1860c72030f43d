"""Dispatch of the outbox: due events become batches, due batches become messages with ids only.

A batch is one message to one target and keeps its id over all attempts. Its row says when it is due and which worker
has it; a message that is lost, doubled or late changes nothing. One batch of a notification is being sent at a
time, and few to one host: a slow target delays its own events only.
"""

from __future__ import annotations

from collections import Counter

import structlog
from sqlalchemy import Connection, and_, case, exists, func, insert, or_, select, text, update

from docfleet.backend.platform.background import Background
from docfleet.backend.platform.db import Database, Record, db_now
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.tables.notifications import (
    OPEN_BATCH,
    UNGROUPED,
    notification_batches,
    notification_events,
    notifications,
)
from docfleet.core.errors import BrokerUnavailable, ConfigurationError
from docfleet.core.ids import new_id
from docfleet.core.names import QueueName, TaskName
from docfleet.core.notify import NotificationDispatchResult, NotificationState
from docfleet.providers.registry import provider_class

log = structlog.get_logger(__name__)

MAX_NOTIFICATIONS = 50
"""The most notifications of one transaction; the next one handles the rest."""
MAX_EVENTS = 500
"""The most events of a batch with ``club_seconds``, as in the original."""
MAX_BATCHES = 50
"""The most batches that one transaction makes for a notification without ``club_seconds``."""
MAX_BATCHES_PER_HOST = 2
"""The most batches that are being sent to one host."""
LOST_WORKER = "the worker that sent it did not come back"
NO_ATTEMPT_LEFT = "all attempts are used up"

_batches, _events = notification_batches.c, notification_events.c
_OWN_BATCHES = and_(_batches.notification_id == notifications.c.id, text(OPEN_BATCH))
_SENDING = and_(_batches.state == NotificationState.SENDING.value, _batches.lease_until >= db_now())
_DUE = or_(
    and_(_batches.state == NotificationState.WAITING.value, _batches.next_attempt_at <= db_now()),
    and_(_batches.state == NotificationState.SENDING.value, _batches.lease_until < db_now()),
)
_UNGROUPED = and_(_events.notification_id == notifications.c.id, text(UNGROUPED), _events.due_at <= db_now())


def dispatch(database: Database, dispatcher: Dispatcher, resend_seconds: float) -> NotificationDispatchResult:
    """Send what is due. ``resend_seconds``: the seconds after which a message that no worker took is sent again."""
    result = NotificationDispatchResult()
    while True:
        with database.writing() as connection:
            due = _due(connection)
            for notification in due:
                _group(connection, notification)
            leased = _lease(connection, due, resend_seconds, result)
        for number, (batch_id, notification) in enumerate(leased):
            try:
                _send(dispatcher, batch_id, notification)
            except BrokerUnavailable as error:
                log.warning("notifications.broker_unavailable", error=error.message)
                _release(database, [batch_id for batch_id, _ in leased[number:]])
                return result
            result.batches += 1
        if not leased:
            return result


def _due(connection: Connection) -> list[Record]:
    """Notifications with something to send, locked; those that another process has locked are left out."""
    busy = (
        select(notifications.c.host)
        .join(notification_batches, _batches.notification_id == notifications.c.id)
        .where(_SENDING, notifications.c.host.is_not(None))
        .group_by(notifications.c.host)
        .having(func.count() >= MAX_BATCHES_PER_HOST)
    )
    statement = (
        select(notifications)
        .where(
            notifications.c.is_active,
            or_(exists().where(_UNGROUPED), exists().where(_OWN_BATCHES, _DUE)),
            ~exists().where(_OWN_BATCHES, _SENDING),
            or_(notifications.c.host.is_(None), notifications.c.host.not_in(busy)),
        )
        .order_by(func.random())  # so that none is always the last
        .limit(MAX_NOTIFICATIONS)
        .with_for_update(key_share=True, skip_locked=True)
    )
    return list(connection.execute(statement))


def _group(connection: Connection, notification: Record) -> None:
    """Put the notification's events that are in no batch into batches: one for all, or one for each."""
    clubs = notification.club_seconds > 0
    event_ids = connection.scalars(
        select(_events.id)
        .where(_events.notification_id == notification.id, text(UNGROUPED))
        .order_by(_events.created_at, _events.id)
        .limit(MAX_EVENTS if clubs else MAX_BATCHES)
    ).all()
    for ids in ([list(event_ids)] if clubs else [[event_id] for event_id in event_ids]) if event_ids else []:
        batch_id = new_id()
        connection.execute(
            insert(notification_batches).values(
                id=batch_id,
                organization_id=notification.organization_id,
                notification_id=notification.id,
                state=NotificationState.WAITING.value,
                attempts=0,
                dispatches=0,
                claimed=False,
                next_attempt_at=db_now(),
                lease_until=0.0,
                last_error="",
                created_at=db_now(),
            )
        )
        connection.execute(update(notification_events).where(_events.id.in_(ids)).values(batch_id=batch_id))


def _lease(
    connection: Connection, due: list[Record], resend_seconds: float, result: NotificationDispatchResult
) -> list[tuple[str, Record]]:
    """Lease one due batch of each notification, to be sent."""
    hosts = [row.host for row in due if row.host is not None]
    under_way = Counter[str](
        connection.scalars(
            select(notifications.c.host)
            .join(notification_batches, _batches.notification_id == notifications.c.id)
            .where(_SENDING, notifications.c.host.in_(hosts))
        )
    )
    leased = []
    for notification in due:
        if notification.host is not None and under_way[notification.host] >= MAX_BATCHES_PER_HOST:
            continue
        batch = _next(connection, notification, result)
        if batch is None:
            continue
        # Each repeat waits longer than the one before: a long queue must not fill with copies.
        lease = resend_seconds * 2 ** min(batch.dispatches, 6)
        connection.execute(
            update(notification_batches)
            .where(_batches.id == batch.id)
            .values(
                state=NotificationState.SENDING.value,
                claimed=False,
                dispatches=batch.dispatches + 1,
                lease_until=db_now() + lease,
            )
        )
        under_way[notification.host] += notification.host is not None
        leased.append((batch.id, notification))
    return leased


def _next(connection: Connection, notification: Record, result: NotificationDispatchResult) -> Record | None:
    """Its due batch that has waited longest. Batches without an attempt left become dead: their workers died, or the
    allowed number of attempts was lowered."""
    of_it = and_(_batches.notification_id == notification.id, text(OPEN_BATCH), _DUE)
    spent = (
        update(notification_batches)
        .where(of_it, _batches.attempts >= notification.max_attempts)
        .values(
            state=NotificationState.DEAD.value,
            claimed=False,
            finished_at=db_now(),
            last_error=case(
                (_batches.state == NotificationState.SENDING.value, LOST_WORKER), else_=_batches.last_error
            ),
        )
    )
    died = connection.execute(spent).rowcount
    if died:
        result.dead += died
        log.warning("notification.dead", notification_id=notification.id, batches=died, error=NO_ATTEMPT_LEFT)
    statement = (
        select(notification_batches).where(of_it).order_by(_batches.next_attempt_at, _batches.created_at).limit(1)
    )
    return connection.execute(statement).one_or_none()


def _send(dispatcher: Dispatcher, batch_id: str, notification: Record) -> None:
    try:
        queue = provider_class(notification.provider).queue
    except ConfigurationError:
        queue = QueueName.NOTIFICATIONS  # its provider is not installed here; the worker may have it
    dispatcher.send(
        TaskName.PROCESS_NOTIFICATION,
        [notification.provider.upper()],
        {"batch_id": batch_id, "organization_id": notification.organization_id},
        queue,
    )


def _release(database: Database, ids: list[str]) -> None:
    with database.writing() as connection:
        connection.execute(
            update(notification_batches)
            .where(_batches.id.in_(ids), _batches.state == NotificationState.SENDING.value, ~_batches.claimed)
            .values(state=NotificationState.WAITING.value, lease_until=0.0)
        )


class NotificationDispatcher(Background):
    """Sends notifications at once, so that a request that ends an execution does not wait for the broker. The next tick
    sends what it misses."""

    def __init__(self, database: Database, dispatcher: Dispatcher, resend_seconds: float) -> None:
        super().__init__("notifications", lambda: dispatch(database, dispatcher, resend_seconds))
