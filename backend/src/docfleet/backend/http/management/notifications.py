"""Management API of notifications."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from sqlalchemy import Connection, select

from docfleet.backend.deployments import repository as deployments
from docfleet.backend.keys.repository import Scope
from docfleet.backend.notifications import outbox, repository
from docfleet.backend.notifications.dispatching import Courier
from docfleet.backend.pipelines import repository as pipelines
from docfleet.backend.platform.db import Database, Record, clean, iso
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.tables.deployments import api_deployments
from docfleet.backend.tables.pipelines import pipelines as pipelines_table
from docfleet.core.errors import ConfigurationError, Conflict, InvalidInput, NotFound, ReviewUnavailable
from docfleet.core.masking import MASK
from docfleet.core.names import GivenName
from docfleet.core.notify import ENDED, NotificationEvent
from docfleet.providers.registry import open_provider, provider_class

Limit = Annotated[int, QueryParameter(ge=1, le=500)]
Status = Literal["waiting", "sending", "delivered", "dead"]


class NotificationBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who is told of what: the ``provider`` with its ``settings``, about one pipeline or one API (its api_name).

    ``notify_on_failures``: of failures only. ``club_seconds``: what happens within so many seconds makes one message,
    0 tells each at once. After ``max_attempts`` an event is dead.
    """

    name: GivenName
    provider: Annotated[str, msgspec.Meta(min_length=1, max_length=50)]
    settings: dict[str, Any] = {}
    pipeline: str | None = None
    api: str | None = None
    events: list[NotificationEvent] = msgspec.field(default_factory=lambda: list(ENDED))
    notify_on_failures: bool = False
    club_seconds: Annotated[float, msgspec.Meta(ge=0, le=7200)] = 0.0
    max_attempts: Annotated[int, msgspec.Meta(ge=1, le=50)] = 10
    is_active: bool = True

    def __post_init__(self) -> None:
        if (self.pipeline is None) is (self.api is None):
            raise ValueError("a notification is about a `pipeline` or an `api`: name one of them")
        if not self.events or NotificationEvent.TEST in self.events:
            raise ValueError(f"`events` has to name at least one of {', '.join((NotificationEvent.STARTED, *ENDED))}")
        if self.api is not None and NotificationEvent.STARTED in self.events:
            raise ValueError("`started` is told of pipelines, not of APIs: take it out of the events")


@put("/", sync_to_thread=True, summary="Create or change a notification")
def put_notification(
    data: JSONBody[NotificationBody],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    organization_id: NamedDependency[str],
    dry_run: FromQuery[bool] = False,
) -> dict[str, Any]:
    """Idempotent by name within its pipeline or API. ``dry_run`` writes nothing and answers which fields would
    change; what it is about need not be there yet."""
    values = _values(cipher, data)
    with database.writing() as connection:
        target = _target(connection, organization_id, data)
        if target is None and not dry_run:
            wanted = f"pipeline {data.pipeline!r:.120}" if data.api is None else f"API {data.api!r:.120}"
            raise NotFound(f"there is no {wanted} in this organization")
        if target is None:
            return {"created": True, "changed": []}
        scope, target_id = target
        notification_id, created, changed = repository.apply(
            connection, organization_id, scope, target_id, data.name, values, write=not dry_run
        )
    if dry_run:
        return {"created": created, "changed": changed}
    return {"notification_id": notification_id, "created": created, "changed": created or bool(changed)}


def _values(cipher: Cipher, data: NotificationBody) -> dict[str, Any]:
    if NotificationEvent.WAITING_FOR_REVIEW in data.events:
        raise ReviewUnavailable(
            "nothing waits for review, as no review queue is configured; take waiting_for_review out of the events"
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
        "settings": cipher.seal(data.settings),
        "digest": cipher.digest(data.settings),
        "events": sorted({event.value for event in data.events}),
        "notify_on_failures": data.notify_on_failures,
        "club_seconds": data.club_seconds,
        "max_attempts": data.max_attempts,
        "is_active": data.is_active,
    }


def _target(connection: Connection, organization_id: str, data: NotificationBody) -> tuple[Scope, str] | None:
    if data.pipeline is not None:
        found, scope = pipelines.by_name(connection, organization_id, data.pipeline), Scope.PIPELINE
    else:
        found, scope = deployments.by_name(connection, organization_id, data.api or ""), Scope.DEPLOYMENT
    return None if found is None else (scope, str(found.id))


@get("/", sync_to_thread=True, summary="List notifications")
def list_notifications(
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    organization_id: NamedDependency[str],
    after: FromQuery[UUID | None] = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Newest first, secrets masked; ``after`` is the ``next`` of the page before."""
    with database.reading() as connection:
        last = repository.find(connection, organization_id, str(after)) if after else None
        rows = repository.listing(connection, organization_id, last, limit)
        names = _names(connection, rows)
    found = [_described(cipher, row, names.get(row.target_id)) for row in rows]
    return {"notifications": found, "next": found[-1]["notification_id"] if len(found) == limit else None}


@get("/{notification_id:uuid}", sync_to_thread=True, summary="Show a notification")
def get_notification(
    notification_id: FromPath[UUID],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """As it was stated; secrets are masked."""
    with database.reading() as connection:
        row = repository.find(connection, organization_id, str(notification_id))
        names = _names(connection, [row])
    return _described(cipher, row, names.get(row.target_id))


def _names(connection: Connection, rows: list[Record]) -> dict[str, str]:
    """The names of what these rows are about, by id."""
    ids = [row.target_id for row in rows]
    names: dict[str, str] = {}
    for table, column in ((api_deployments, "api_name"), (pipelines_table, "pipeline_name")):
        found = connection.execute(select(table.c.id, table.c[column]).where(table.c.id.in_(ids)))
        names |= {row[0]: row[1] for row in found}
    return names


def _described(cipher: Cipher, row: Record, target: str | None) -> dict[str, Any]:
    settings = cipher.open(row.settings)
    try:
        secrets = provider_class(row.provider).secrets
    except ConfigurationError:  # it is no longer installed, so nobody knows what of it is secret
        secrets = frozenset(settings)
    return {
        "notification_id": row.id,
        "name": row.name,
        "pipeline": target if row.scope == Scope.PIPELINE else None,
        "api": target if row.scope == Scope.DEPLOYMENT else None,
        "provider": row.provider,
        "target": row.host,
        "settings": {key: MASK if key in secrets and value else value for key, value in settings.items()},
        "events": row.events,
        "notify_on_failures": row.notify_on_failures,
        "club_seconds": row.club_seconds,
        "max_attempts": row.max_attempts,
        "is_active": row.is_active,
        "created_at": iso(row.created_at),
        "modified_at": iso(row.modified_at),
    }


@delete("/{notification_id:uuid}", status_code=200, sync_to_thread=True, summary="Delete a notification")
def delete_notification(
    notification_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """With what it has not told yet."""
    with database.writing() as connection:
        repository.remove(connection, organization_id, str(notification_id))
    return {"notification_id": str(notification_id), "deleted": True}


@post("/{notification_id:uuid}/test", status_code=202, sync_to_thread=True, summary="Send a test")
def test_notification(
    notification_id: FromPath[UUID],
    database: NamedDependency[Database],
    courier: NamedDependency[Courier],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """An event of its own goes the way of all others; ask for it to see what became of it."""
    with database.writing() as connection:
        row = repository.find(connection, organization_id, str(notification_id))
        if not row.is_active:
            raise Conflict(f"notification {row.name!r:.120} is not active: it sends nothing")
        event_id = outbox.tell_test(connection, row)
    courier.wake()
    return {"event_id": event_id}


@get("/events", sync_to_thread=True, summary="List what was told, and what could not be")
def list_events(
    database: NamedDependency[Database],
    organization_id: NamedDependency[str],
    notification_id: FromQuery[UUID | None] = None,
    status: FromQuery[Status | None] = None,
    after: FromQuery[UUID | None] = None,
    limit: Limit = 50,
) -> dict[str, Any]:
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
    found = [repository.described(row) for row in rows]
    return {"events": found, "next": found[-1]["event_id"] if len(found) == limit else None}


@get("/events/{event_id:uuid}", sync_to_thread=True, summary="Show an event")
def get_event(
    event_id: FromPath[UUID], database: NamedDependency[Database], organization_id: NamedDependency[str]
) -> dict[str, Any]:
    """Its state, attempts and last error."""
    with database.reading() as connection:
        return repository.described(repository.event(connection, organization_id, str(event_id)))


@post("/events/{event_id:uuid}/resend", status_code=202, sync_to_thread=True, summary="Send a dead event again")
def resend_event(
    event_id: FromPath[UUID],
    database: NamedDependency[Database],
    courier: NamedDependency[Courier],
    organization_id: NamedDependency[str],
) -> dict[str, Any]:
    """With those it went with, under the same idempotency key. 409 for one that is not dead."""
    with database.writing() as connection:
        events = repository.send_again(connection, organization_id, str(event_id))
    courier.wake()
    return {"event_id": str(event_id), "events": events}


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
