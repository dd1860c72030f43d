"""Management API of notifications."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Router, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from docfleet.backend.keys import targets
from docfleet.backend.notifications import outbox, repository
from docfleet.backend.notifications.dispatching import NotificationDispatcher
from docfleet.backend.platform.db import Database, clean
from docfleet.backend.platform.encryption import Cipher
from docfleet.core.errors import ConfigurationError, Conflict, InvalidInput, NotFound, ReviewUnavailable
from docfleet.core.management.changes import AppliedNotification, PlannedChange
from docfleet.core.management.keys import Scope
from docfleet.core.management.notifications import (
    DeletedNotification,
    Notification,
    NotificationPage,
    NotificationRequest,
    NotificationTest,
    OutboxEvent,
    OutboxPage,
    ResentEvent,
)
from docfleet.core.masking import MASK
from docfleet.core.notify import NotificationEvent, NotificationState
from docfleet.providers.registry import open_provider

Limit = Annotated[int, QueryParameter(ge=1, le=500)]


@put("/", sync_to_thread=True, summary="Create or change a notification")
def put_notification(
    data: JSONBody[NotificationRequest],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    organization_id: NamedDependency[str],
    dry_run: FromQuery[bool] = False,
) -> AppliedNotification | PlannedChange:
    """Idempotent by name within its pipeline or API. ``dry_run`` writes nothing and answers which fields would
    change; its pipeline or API need not exist yet."""
    scope, target = _scope(data)
    with database.writing() as connection:
        target_id = targets.find(connection, organization_id, scope, target)
        if target_id is None and not dry_run:
            kind = "pipeline" if scope is Scope.PIPELINE else "API"
            raise NotFound(f"there is no {kind} {target!r:.120} in this organization")
        values = _values(cipher, data)
        if target_id is None:
            return PlannedChange(created=True)
        change = repository.apply(connection, organization_id, scope, target_id, data.name, values, write=not dry_run)
    if dry_run:
        return change.plan
    return AppliedNotification(notification_id=change.resource_id, created=change.created, changed=change.changed)


def _values(cipher: Cipher, data: NotificationRequest) -> dict[str, Any]:
    if NotificationEvent.WAITING_FOR_REVIEW in data.events:
        raise ReviewUnavailable(
            "manual review is not available, because no review queue is configured; "
            "take waiting_for_review out of the events"
        )
    masked = [key for key, value in data.settings.items() if value == MASK]
    if masked:
        raise InvalidInput(f"settings.{masked[0]} is masked: give its value")
    try:
        provider = open_provider(data.provider, data.settings)
    except ConfigurationError as error:
        raise InvalidInput(f"notification: {error.message}") from error
    return {
        "provider": data.provider,
        "host": provider.target,
        "settings": cipher.encrypt(data.settings),
        "digest": cipher.digest(data.settings),
        "events": sorted({event.value for event in data.events}),
        "notify_on_failures": data.notify_on_failures,
        "club_seconds": data.club_seconds,
        "max_attempts": data.max_attempts,
        "is_active": data.is_active,
    }


def _scope(data: NotificationRequest) -> tuple[Scope, str]:
    """The kind and the name of its pipeline or API."""
    return (Scope.PIPELINE, data.pipeline) if data.pipeline is not None else (Scope.DEPLOYMENT, data.api or "")


@get("/", sync_to_thread=True, summary="List notifications")
def list_notifications(
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    organization_id: NamedDependency[str],
    after: FromQuery[UUID | None] = None,
    limit: Limit = 100,
) -> NotificationPage:
    """Newest first, secrets masked; ``after`` is the ``next`` of the page before."""
    with database.reading() as connection:
        last = repository.find(connection, organization_id, str(after)) if after else None
        rows = repository.listing(connection, organization_id, last, limit)
        names = targets.names(connection, (row.target_id for row in rows))
    page = [repository.describe(cipher, row, names.get(row.target_id)) for row in rows]
    return NotificationPage(page, next=page[-1].notification_id if len(page) == limit else None)


@get("/{notification_id:uuid}", sync_to_thread=True, summary="Show a notification")
def get_notification(
    notification_id: FromPath[UUID],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    organization_id: NamedDependency[str],
) -> Notification:
    """The notification as it was last written; secrets are masked."""
    with database.reading() as connection:
        row = repository.find(connection, organization_id, str(notification_id))
        names = targets.names(connection, [row.target_id])
    return repository.describe(cipher, row, names.get(row.target_id))


@delete("/{notification_id:uuid}", status_code=200, sync_to_thread=True, summary="Delete a notification")
def delete_notification(
    notification_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> DeletedNotification:
    """With its events that are not sent yet."""
    with database.writing() as connection:
        repository.remove(connection, organization_id, str(notification_id))
    return DeletedNotification(str(notification_id))


@post("/{notification_id:uuid}/test", status_code=202, sync_to_thread=True, summary="Send a test")
def test_notification(
    notification_id: FromPath[UUID],
    database: NamedDependency[Database],
    notification_dispatcher: NamedDependency[NotificationDispatcher],
    organization_id: NamedDependency[str],
) -> NotificationTest:
    """The test is an event like all others: read it by its id to see its outcome."""
    with database.writing() as connection:
        row = repository.find(connection, organization_id, str(notification_id))
        if not row.is_active:
            raise Conflict(f"notification {row.name!r:.120} is not active: it sends nothing")
        event_id = outbox.write_test(connection, row)
    notification_dispatcher.wake()
    return NotificationTest(event_id)


@get("/events", sync_to_thread=True, summary="List events that were sent, and those that could not be")
def list_events(
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
    notification_id: FromQuery[UUID | None] = None,
    status: FromQuery[NotificationState | None] = None,
    after: FromQuery[UUID | None] = None,
    limit: Limit = 50,
) -> OutboxPage:
    """Newest first; ``after`` is the ``next`` of the page before. ``status`` dead: attempts are used up, or refused."""
    with database.reading() as connection:
        last = repository.event(connection, organization_id, str(after)) if after else None
        rows = repository.events(
            connection,
            organization_id,
            notification_id=clean(str(notification_id)) if notification_id else None,
            state=status,
            after=last,
            limit=limit,
        )
    page = [repository.describe_event(row) for row in rows]
    return OutboxPage(page, next=page[-1].event_id if len(page) == limit else None)


@get("/events/{event_id:uuid}", sync_to_thread=True, summary="Show an event")
def get_event(
    event_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> OutboxEvent:
    """Its state, attempts and last error."""
    with database.reading() as connection:
        return repository.describe_event(repository.event(connection, organization_id, str(event_id)))


@post("/events/{event_id:uuid}/resend", status_code=202, sync_to_thread=True, summary="Send a dead event again")
def resend_event(
    event_id: FromPath[UUID],
    database: NamedDependency[Database],
    notification_dispatcher: NamedDependency[NotificationDispatcher],
    organization_id: NamedDependency[str],
) -> ResentEvent:
    """Send a dead event again, with those of its message, under the same idempotency key. 409 for one that is not
    dead."""
    with database.writing() as connection:
        events = repository.send_again(connection, organization_id, str(event_id))
    notification_dispatcher.wake()
    return ResentEvent(str(event_id), events)


router = Router(
    path="/notifications",
    route_handlers=[
        put_notification,
        list_notifications,
        get_notification,
        delete_notification,
        test_notification,
        list_events,
        get_event,
        resend_event,
    ],
    tags=["notifications"],
)
