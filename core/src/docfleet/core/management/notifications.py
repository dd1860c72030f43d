"""Notifications, and the events of their outbox."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec

from docfleet.core.names import GivenName
from docfleet.core.notify import ENDED, NotificationEvent, NotificationState


class NotificationRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who is notified of what: the ``provider`` with its ``settings``, about one pipeline or one API (its api_name).

    ``notify_on_failures``: of failures only. ``club_seconds``: events within this many seconds are sent as one message;
    0 sends each at once. After ``max_attempts`` an event is dead.
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

    json_rules: ClassVar = (
        {
            "oneOf": [
                {"required": ["pipeline"], "properties": {"pipeline": {"type": "string"}, "api": {"type": "null"}}},
                {
                    "required": ["api"],
                    "properties": {
                        "api": {"type": "string"},
                        "pipeline": {"type": "null"},
                        "events": {"not": {"contains": {"const": NotificationEvent.STARTED.value}}},
                    },
                },
            ],
            "properties": {
                "events": {"minItems": 1, "not": {"contains": {"const": NotificationEvent.TEST.value}}},
            },
        },
    )

    def __post_init__(self) -> None:
        if (self.pipeline is None) is (self.api is None):
            raise ValueError("a notification is about a `pipeline` or an `api`: name one of them")
        if not self.events or NotificationEvent.TEST in self.events:
            raise ValueError(f"`events` has to name at least one of {', '.join((NotificationEvent.STARTED, *ENDED))}")
        if self.api is not None and NotificationEvent.STARTED in self.events:
            raise ValueError("`started` is an event of pipelines, not of APIs: take it out of the events")


class Notification(msgspec.Struct, kw_only=True):
    """One notification of a ``pipeline`` or an ``api``. ``target`` is the host it contacts; secrets of ``settings`` are
    masked."""

    notification_id: str
    name: str
    pipeline: str | None
    api: str | None
    provider: str
    target: str | None
    settings: dict[str, Any]
    events: list[str]
    notify_on_failures: bool
    club_seconds: float
    max_attempts: int
    is_active: bool
    created_at: str
    modified_at: str


class NotificationPage(msgspec.Struct):
    """Notifications, newest first; ``next`` is the ``after`` of the next page."""

    notifications: list[Notification]
    next: str | None


class DeletedNotification(msgspec.Struct):
    """A notification was deleted."""

    notification_id: str
    deleted: bool = True


class OutboxEvent(msgspec.Struct, kw_only=True):
    """One event, sent or waiting. ``pipeline`` is the name of the pipeline or API it is about, ``message_id``
    the message that carries it, None until it is in one. ``next_attempt_at`` is set only while it waits."""

    event_id: str
    notification_id: str
    notification: str
    event: str
    execution_id: str
    pipeline: str
    status: NotificationState
    attempts: int
    max_attempts: int
    next_attempt_at: str | None
    last_error: str
    message_id: str | None
    created_at: str
    finished_at: str | None


class OutboxPage(msgspec.Struct):
    """Events, newest first; ``next`` is the ``after`` of the next page."""

    events: list[OutboxEvent]
    next: str | None


class NotificationTest(msgspec.Struct):
    """The event of a test."""

    event_id: str


class ResentEvent(msgspec.Struct):
    """A dead event is sent again; ``events`` counts it and those that go in the same message."""

    event_id: str
    events: int
