"""Reads and writes of notifications and of their events."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, text, update

from docfleet.backend.platform.changes import Change
from docfleet.backend.platform.db import SECONDS_PER_DAY, Database, Record, clean, db_now, iso
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.tables.notifications import (
    OPEN_BATCH,
    UNGROUPED,
    notification_batches,
    notification_events,
    notifications,
)
from docfleet.core.errors import ConfigurationError, Conflict, NotFound
from docfleet.core.ids import new_id
from docfleet.core.management.keys import Scope
from docfleet.core.management.notifications import Notification, OutboxEvent
from docfleet.core.masking import MASK
from docfleet.core.notify import NotificationState
from docfleet.providers.registry import provider_class

MAX_DELETED = 500
AWAY = "its target was away for as long as notifications are kept"
_batches, _events = notification_batches.c, notification_events.c
_STATE: Any = func.coalesce(_batches.state, NotificationState.WAITING.value)
_EVENT = (
    select(
        notification_events,
        _STATE.label("state"),
        func.coalesce(_batches.attempts, 0).label("attempts"),
        _batches.next_attempt_at,
        func.coalesce(_batches.last_error, "").label("last_error"),
        _batches.finished_at,
        notifications.c.name,
        notifications.c.max_attempts,
    )
    .join(notifications, notifications.c.id == _events.notification_id)
    .outerjoin(notification_batches, _batches.id == _events.batch_id)
)


def find(connection: Connection, organization_id: str, notification_id: str) -> Record:
    """The notification's row. Raises ``NotFound``."""
    where = (notifications.c.id == notification_id, notifications.c.organization_id == organization_id)
    row = connection.execute(select(notifications).where(*where)).one_or_none()
    if row is None:
        raise NotFound(f"there is no notification {notification_id} in this organization")
    return row


def listing(connection: Connection, organization_id: str, after: Record | None, limit: int) -> list[Record]:
    """The organization's notifications, newest first, at most ``limit`` after ``after``."""
    where = [notifications.c.organization_id == organization_id]
    if after is not None:
        where.append(_older(notifications.c.created_at, notifications.c.id, after))
    newest = (notifications.c.created_at.desc(), notifications.c.id.desc())
    return list(connection.execute(select(notifications).where(*where).order_by(*newest).limit(limit)))


def apply(
    connection: Connection,
    organization_id: str,
    scope: Scope,
    target_id: str,
    name: str,
    values: dict[str, Any],
    *,
    write: bool,
) -> Change:
    """Create or change the notification of this name; without ``write``, return what would change.

    ``values`` are columns; ``settings`` is encrypted and compared by ``digest``.
    """
    existing = connection.execute(
        select(notifications).where(
            notifications.c.organization_id == organization_id,
            notifications.c.scope == scope.value,
            notifications.c.target_id == target_id,
            notifications.c.name == clean(name),
        )
    ).one_or_none()
    if existing is None:
        notification_id = new_id()
        identity = {"id": notification_id, "organization_id": organization_id, "scope": scope.value}
        if write:
            row = {**identity, "target_id": target_id, "name": clean(name), **values}
            connection.execute(insert(notifications).values(**row, created_at=db_now(), modified_at=db_now()))
        return Change(notification_id, created=True, fields=[])
    changed = [key for key in values if key not in ("settings", "host") and existing._mapping[key] != values[key]]
    if changed and write:
        statement = update(notifications).where(notifications.c.id == existing.id)
        connection.execute(statement.values(**values, modified_at=db_now()))
    return Change(existing.id, created=False, fields=["settings" if key == "digest" else key for key in changed])


def remove(connection: Connection, organization_id: str, notification_id: str) -> None:
    """Delete the notification and its events. Raises ``NotFound``."""
    find(connection, organization_id, notification_id)
    connection.execute(delete(notifications).where(notifications.c.id == notification_id))


def delete_of_target(connection: Connection, scope: Scope, target_id: str) -> None:
    """Delete the notifications of a deployment or pipeline that is deleted."""
    where = (notifications.c.scope == scope.value, notifications.c.target_id == target_id)
    connection.execute(delete(notifications).where(*where))


def event(connection: Connection, organization_id: str, event_id: str) -> Record:
    """One event with its state. Raises ``NotFound``."""
    where = (_events.id == event_id, _events.organization_id == organization_id)
    row = connection.execute(_EVENT.where(*where)).one_or_none()
    if row is None:
        raise NotFound(f"there is no event {event_id} of notifications in this organization")
    return row


def events(
    connection: Connection,
    organization_id: str,
    *,
    notification_id: str | None,
    state: str | None,
    after: Record | None,
    limit: int,
) -> list[Record]:
    """Events with their states, newest first, at most ``limit`` after ``after``."""
    where = [_events.organization_id == organization_id]
    if notification_id is not None:
        where.append(_events.notification_id == notification_id)
    if state is not None:
        where.append(state == _STATE)
    if after is not None:
        where.append(_older(_events.created_at, _events.id, after))
    newest = (_events.created_at.desc(), _events.id.desc())
    return list(connection.execute(_EVENT.where(*where).order_by(*newest).limit(limit)))


def _older(created_at: Any, identity: Any, after: Record) -> ColumnElement[bool]:
    return or_(created_at < after.created_at, and_(created_at == after.created_at, identity < after.id))


def send_again(connection: Connection, organization_id: str, event_id: str) -> int:
    """Send a dead event again, with those of its message and under the same id. Returns the number of events.

    Raises ``NotFound``, and ``Conflict`` for one that is not dead.
    """
    row = event(connection, organization_id, event_id)
    revived = 0
    if row.batch_id is not None:
        dead = (_batches.id == row.batch_id, _batches.state == NotificationState.DEAD.value)
        fresh = {
            "state": NotificationState.WAITING.value,
            "attempts": 0,
            "dispatches": 0,
            "next_attempt_at": db_now(),
            "finished_at": None,
        }
        fresh["created_at"] = db_now()  # otherwise a sweep would declare it too old to be sent
        revived = connection.execute(update(notification_batches).where(*dead).values(**fresh)).rowcount
    if not revived:
        raise Conflict(f"event {event_id} is {row.state}: only a dead one is sent again")
    return connection.scalar(select(func.count()).where(_events.batch_id == row.batch_id)) or 0


def describe(cipher: Cipher, row: Record, target: str | None) -> Notification:
    """The notification of a row; ``target`` is the name of what it is about. Secrets are masked."""
    settings = cipher.decrypt(row.settings)
    try:
        secrets = provider_class(row.provider).secrets
    except ConfigurationError:  # it is no longer installed, so its secret settings are unknown
        secrets = frozenset(settings)
    return Notification(
        notification_id=row.id,
        name=row.name,
        pipeline=target if row.scope == Scope.PIPELINE else None,
        api=target if row.scope == Scope.DEPLOYMENT else None,
        provider=row.provider,
        target=row.host,
        settings={key: MASK if key in secrets and value else value for key, value in settings.items()},
        events=row.events,
        notify_on_failures=row.notify_on_failures,
        club_seconds=row.club_seconds,
        max_attempts=row.max_attempts,
        is_active=row.is_active,
        created_at=iso(row.created_at),
        modified_at=iso(row.modified_at),
    )


def describe_event(row: Record) -> OutboxEvent:
    """The event of a row."""
    state = NotificationState(row.state)
    next_attempt_at = row.due_at if row.batch_id is None else row.next_attempt_at
    return OutboxEvent(
        event_id=row.id,
        notification_id=row.notification_id,
        notification=row.name,
        event=row.event,
        execution_id=row.execution_id,
        pipeline=row.data.get("pipeline_name", ""),
        status=state,
        attempts=row.attempts,
        max_attempts=row.max_attempts,
        next_attempt_at=iso(next_attempt_at) if state is NotificationState.WAITING else None,
        last_error=row.last_error,
        message_id=row.batch_id,
        created_at=iso(row.created_at),
        finished_at=iso(row.finished_at) or None,
    )


def delete_old(database: Database, days: float) -> int:
    """Delete delivered and dead events older than ``days``, and declare waiting ones of that age dead. Returns the
    number of deleted ones. 0 days: none."""
    if days <= 0:
        return 0
    old = db_now() - days * SECONDS_PER_DAY
    with database.writing() as connection:
        ended = select(_batches.id).where(
            _batches.state.in_((NotificationState.DELIVERED.value, NotificationState.DEAD.value)),
            _batches.finished_at < old,
        )
        chosen = list(connection.scalars(ended.limit(MAX_DELETED)))
        connection.execute(delete(notification_batches).where(_batches.id.in_(chosen)))
        connection.execute(
            update(notification_batches)
            .where(text(OPEN_BATCH), _batches.created_at < old, _batches.lease_until < db_now())
            .values(state=NotificationState.DEAD.value, claimed=False, finished_at=db_now(), last_error=AWAY)
        )
        unsent = select(_events.id).where(text(UNGROUPED), _events.created_at < old).limit(MAX_DELETED)
        left = list(connection.scalars(unsent))
        connection.execute(delete(notification_events).where(_events.id.in_(left)))
    return len(chosen) + len(left)
