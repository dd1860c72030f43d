"""Writes the events of a message: one call of the backend per organization, repeated until it succeeds.

The message is acknowledged only after that. The backend writes an event once, even if it is sent again.
"""

from __future__ import annotations

from typing import Any

import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from celery import current_app
from celery.exceptions import Reject

from docfleet.core.errors import DependencyError, DocfleetError
from docfleet.core.faults import point
from docfleet.core.log_events import MAX_EVENTS, LogBatch, LogEvent, LogsWritten, read_event
from docfleet.workers.shared.clients.log_client import LogClient
from docfleet.workers.shared.clients.transport import HttpTransport
from docfleet.workers.shared.infrastructure.process.fork import per_process
from docfleet.workers.shared.infrastructure.process.process_settings import settings

log = structlog.get_logger()

CALL_SECONDS = 3.5
"""Time limit of one call. With the waits between them, a message is requeued after four times as long."""
SHARE = 1 / 6
"""The share of the task's time that one call may take: a message has to be requeued before the limit."""
ATTEMPTS = 100


@per_process
def _backend() -> HttpTransport:
    return HttpTransport(
        settings().internal_api_base_url,
        settings().internal_service_api_key,
        dependency="the backend",
        timeout=min(CALL_SECONDS, SHARE * float(current_app.conf.task_soft_time_limit)),
        attempts=ATTEMPTS,
    )


def consume(payloads: Any, channel: str) -> None:
    """Write the events of the message: a list, or a single one. Raises ``Reject``, which requeues it, when the backend
    stays away."""
    by_organization: dict[str, list[LogEvent]] = {}
    unreadable = 0
    if payloads == []:
        log.warning("logs.unreadable", events=0, reason="the message holds no event")
    for payload in payloads if isinstance(payloads, list) else [payloads]:
        event = read_event(payload, channel)
        if event is None:
            unreadable += 1
        else:
            by_organization.setdefault(event.organization_id, []).append(event)
    point("logs.taken")
    total = LogsWritten()
    for organization_id, events in by_organization.items():
        for start in range(0, len(events), MAX_EVENTS):
            _add(total, _write(organization_id, events[start : start + MAX_EVENTS]))
        point("logs.written")
    if unreadable:
        log.warning(
            "logs.unreadable",
            events=unreadable,
            reason="an event is an object with execution_id and organization_id (texts) and timestamp (seconds)",
        )
    if total.dropped:
        log.warning("logs.dropped", events=total.dropped, reason="unknown executions, or archived logs")
    log.debug("logs.consumed", written=total.written, repeated=total.repeated)


def _write(organization_id: str, events: list[LogEvent]) -> LogsWritten:
    try:
        # Not through the breaker: the message waits for this call in any case.
        return LogClient(_backend(), organization_id).write(LogBatch(events=events))
    except (DependencyError, SoftTimeLimitExceeded) as error:
        log.warning("logs.put_back", events=len(events), error=str(error))
        raise Reject(str(error), requeue=True) from error
    except DocfleetError as error:
        # A repeat would get the same answer: an unknown organization, or events that the backend cannot read.
        log.error("logs.refused", events=len(events), code=error.code, error=error.message)
        return LogsWritten()


def _add(total: LogsWritten, part: LogsWritten) -> None:
    total.written += part.written
    total.repeated += part.repeated
    total.dropped += part.dropped
