"""Notifications: the dispatch of what is due, and what the worker claims and reports."""

from __future__ import annotations

from uuid import UUID

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from docfleet.backend.notifications import delivery, dispatching
from docfleet.backend.notifications.delivery import Backoff
from docfleet.backend.notifications.dispatching import Courier
from docfleet.backend.platform.db import Database
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.settings import BackendSettings
from docfleet.core.notify import BatchClaim, BatchClaimRequest, BatchReport, BatchState, DispatchResult

BATCH = "/notifications/batches/{batch_id:uuid}"


@post("/notifications/dispatch", status_code=200, sync_to_thread=True, opt={"organization": False})
def dispatch_notifications(
    database: NamedDependency[Database],
    dispatcher: NamedDependency[Dispatcher],
    settings: NamedDependency[BackendSettings],
) -> DispatchResult:
    """Send what is due, of all organizations. Harmless to repeat, and beside another one."""
    return dispatching.dispatch(database, dispatcher, settings.dispatch_deadline_seconds)


@post(f"{BATCH}/claim", status_code=200, sync_to_thread=True)
def claim_batch(
    batch_id: FromPath[UUID],
    data: JSONBody[BatchClaimRequest],
    database: NamedDependency[Database],
    cipher: NamedDependency[Cipher],
    organization_id: NamedDependency[str],
) -> BatchClaim:
    """Take a batch under a lease: its target with its secrets, and its events."""
    with database.writing() as connection:
        return delivery.claim(connection, cipher, organization_id, str(batch_id), data.lease_seconds)


@post(f"{BATCH}/report", status_code=200, sync_to_thread=True)
def report_batch(
    batch_id: FromPath[UUID],
    data: JSONBody[BatchReport],
    database: NamedDependency[Database],
    settings: NamedDependency[BackendSettings],
    courier: NamedDependency[Courier],
    organization_id: NamedDependency[str],
) -> BatchState:
    """Write how an attempt went; what waited behind it goes next."""
    backoff = Backoff(settings.outbox_retry_seconds, settings.outbox_longest_wait_seconds)
    with database.writing() as connection:
        state = delivery.report(connection, organization_id, str(batch_id), data, backoff)
    courier.wake()
    return BatchState(state=state)


handlers = [dispatch_notifications, claim_batch, report_batch]
