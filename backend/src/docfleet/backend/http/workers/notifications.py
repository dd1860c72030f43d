"""Notifications: the dispatch of what is due, and what the worker claims and reports."""

from __future__ import annotations

from uuid import UUID

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from docfleet.backend.notifications import attempts, dispatching
from docfleet.backend.notifications.attempts import Backoff
from docfleet.backend.notifications.dispatching import NotificationDispatcher
from docfleet.backend.platform.db import Database
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.settings import BackendSettings
from docfleet.core.notify import (
    NotificationBatchClaim,
    NotificationBatchClaimRequest,
    NotificationBatchReport,
    NotificationBatchState,
    NotificationDispatchResult,
)

BATCH = "/notifications/batches/{batch_id:uuid}"


@post("/notifications/dispatch", status_code=200, sync_to_thread=True, opt={"organization": False})
def dispatch_notifications(
    database: NamedDependency[Database],
    dispatcher: NamedDependency[Dispatcher],
    settings: NamedDependency[BackendSettings],
) -> NotificationDispatchResult:
    """Send what is due, of all organizations. Harmless to repeat and to run twice at once."""
    return dispatching.dispatch(database, dispatcher, settings.dispatch_deadline_seconds)


@post(f"{BATCH}/claim", status_code=200, sync_to_thread=True)
def claim_batch(
    batch_id: FromPath[UUID],
    data: JSONBody[NotificationBatchClaimRequest],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    organization_id: NamedDependency[str],
) -> NotificationBatchClaim:
    """Take a batch under a lease: its target with its secrets, and its events."""
    with database.writing() as connection:
        return attempts.claim(connection, cipher, organization_id, str(batch_id), data.lease_seconds)


@post(f"{BATCH}/report", status_code=200, sync_to_thread=True)
def report_batch(
    batch_id: FromPath[UUID],
    data: JSONBody[NotificationBatchReport],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    notification_dispatcher: NamedDependency[NotificationDispatcher],
    organization_id: NamedDependency[str],
) -> NotificationBatchState:
    """Write the outcome of an attempt; the next batch of its notification may then be sent."""
    backoff = Backoff(settings.outbox_retry_seconds, settings.outbox_longest_wait_seconds)
    with database.writing() as connection:
        state = attempts.report(connection, organization_id, str(batch_id), data, backoff)
    notification_dispatcher.wake()
    return NotificationBatchState(state=state)


handlers = [dispatch_notifications, claim_batch, report_batch]
