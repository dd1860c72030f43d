"""Notifications on the wire: events, and the messages between worker and backend about sending them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec

from docfleet.core.wire import Wire


class NotificationEvent(StrEnum):
    """What a notification can be about. ``WAITING_FOR_REVIEW`` needs a review queue; ``TEST`` is sent by a person."""

    STARTED = "started"
    COMPLETED = "completed"
    PARTLY_FAILED = "partly_failed"
    FAILED = "failed"
    STOPPED = "stopped"
    WAITING_FOR_REVIEW = "waiting_for_review"
    TEST = "test"


ENDED = (
    NotificationEvent.COMPLETED,
    NotificationEvent.PARTLY_FAILED,
    NotificationEvent.FAILED,
    NotificationEvent.STOPPED,
)
"""The events of a notification that names none."""
FAILURES = frozenset({NotificationEvent.PARTLY_FAILED, NotificationEvent.FAILED, NotificationEvent.STOPPED})


class NotificationState(StrEnum):
    """The state of a notification's event, and of the batch that carries it."""

    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Refused by its target, or out of attempts: a person has to act."""


class EventData(Wire):
    """One event, as its target gets it. ``type`` is ETL, TASK or API, ``status`` one of the original's (SUCCESS,
    COMPLETED, ERROR, STOPPED, INPROGRESS) or TEST, ``timestamp`` seconds since the epoch."""

    event: NotificationEvent
    type: str
    pipeline_id: str
    pipeline_name: str
    status: str
    execution_id: str
    timestamp: float
    total_files: int = 0
    successful_files: int = 0
    failed_files: int = 0
    error_message: str | None = None

    @property
    def is_failure(self) -> bool:
        """Whether something went wrong: it failed, it was stopped, or some of its files failed."""
        return self.event in FAILURES


class NotificationBatchClaimRequest(Wire):
    """A worker wants to send this batch within the next ``lease_seconds``."""

    lease_seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class NotificationBatchClaim(Wire):
    """What to send where. ``settings`` hold secrets: in memory only. ``granted`` is false when another worker has it,
    or it is not due."""

    granted: bool
    name: str = ""
    provider: str = ""
    settings: dict[str, Any] = {}
    events: list[EventData] = []
    attempt: int = 0


class NotificationBatchReport(Wire):
    """How attempt ``attempt`` went. ``failed`` may succeed later, ``rejected`` never; ``deferred`` was not tried.
    ``retry_after`` is the seconds the target, or its breaker, requests to wait."""

    attempt: int
    outcome: Literal["delivered", "failed", "rejected", "deferred"]
    error: str = ""
    retry_after: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] | None = None


class NotificationBatchState(Wire):
    """The state of a batch."""

    state: NotificationState


class NotificationDispatchResult(msgspec.Struct):
    """What one dispatch sent, and how many batches had no attempts left."""

    batches: int = 0
    dead: int = 0
