"""One batch of notifications: claim it, send it, report the outcome.

A worker that is killed at any point loses nothing: the backend hands the batch out again when the lease ends, under
the same id, by which a target recognizes a repeat. The backend does the waiting; nothing sleeps here.
"""

from __future__ import annotations

from typing import Any

import redis
import structlog

from docfleet.core.errors import ConfigurationError
from docfleet.core.faults import point
from docfleet.core.ids import check_organization, parse_id
from docfleet.core.notify import NotificationBatchClaim, NotificationBatchReport
from docfleet.providers.base import NotificationBatch, TargetRejected, TargetUnavailable
from docfleet.providers.registry import open_provider
from docfleet.workers.notification.host_breaker import HostBreaker
from docfleet.workers.shared.clients.api import internal_api
from docfleet.workers.shared.infrastructure.process.fork import per_process
from docfleet.workers.shared.infrastructure.process.process_settings import settings

log = structlog.get_logger()


@per_process
def breaker() -> HostBreaker:
    """The breaker of this process, in the shared Redis."""
    server = redis.Redis.from_url(settings().redis_url, socket_timeout=1.0, socket_connect_timeout=1.0)
    return HostBreaker(server, settings().notification_breaker_seconds, settings().notification_lease_seconds)


def send_batch(organization_id: Any, batch_id: Any) -> dict[str, Any]:
    """Send the batch if its claim is granted. Returns batch and outcome. Raises ``DependencyError``, and
    ``InvalidInput`` for malformed ids: they become parts of a URL."""
    organization_id, batch_id = check_organization(organization_id), parse_id(batch_id, "the batch")
    client = internal_api().webhooks(organization_id)
    claim = client.claim(batch_id, settings().notification_lease_seconds)
    if not claim.granted:
        log.info("notification.not_ours", batch_id=batch_id)
        return {"batch_id": batch_id, "outcome": "not_ours"}
    point("notification.claimed", claim.name)
    report = attempt(batch_id, claim)
    point("notification.before_report", claim.name)
    state = client.report(batch_id, report).state
    log.info(
        "notification.attempted",
        batch_id=batch_id,
        provider=claim.provider,
        outcome=report.outcome,
        attempt=claim.attempt,
        events=len(claim.events),
        state=state,
        error=report.error or None,
    )
    return {"batch_id": batch_id, "outcome": report.outcome}


def attempt(batch_id: str, claim: NotificationBatchClaim) -> NotificationBatchReport:
    """One attempt at the claimed batch, unless the breaker of its host is open."""
    try:
        provider = open_provider(claim.provider, claim.settings)
    except ConfigurationError as error:
        return _reported(claim, "rejected", error.message)
    host = provider.target
    wait = breaker().wait(host)
    if wait is not None:
        return _reported(claim, "deferred", f"{host} failed several times; waiting for it", wait)
    try:
        provider.send(NotificationBatch(batch_id, claim.events), settings().outbound)
    except TargetUnavailable as error:
        breaker().note(host, alive=error.answered)
        return _reported(claim, "failed", error.message, error.retry_after)
    except TargetRejected as error:
        breaker().note(host, alive=True)
        return _reported(claim, "rejected", error.message)
    except Exception as error:  # noqa: BLE001 - the boundary of a plug-in; the error's text may hold a secret
        breaker().note(host, alive=True)
        log.error("notification.provider_failed", provider=claim.provider, error_type=type(error).__name__)
        return _reported(claim, "failed", f"provider {claim.provider} failed: {type(error).__name__}")
    point("notification.sent", claim.name)
    breaker().note(host, alive=True)
    return NotificationBatchReport(attempt=claim.attempt, outcome="delivered")


def _reported(
    claim: NotificationBatchClaim, outcome: Any, error: str, retry_after: float | None = None
) -> NotificationBatchReport:
    return NotificationBatchReport(attempt=claim.attempt, outcome=outcome, error=error, retry_after=retry_after)
