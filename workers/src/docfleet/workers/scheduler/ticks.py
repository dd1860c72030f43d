"""Ticks: calls that make the backend do what is due. The backend alone knows what that is."""

from __future__ import annotations

import structlog

from docfleet.core.errors import DependencyError
from docfleet.workers.shared.clients.transport import HttpTransport
from docfleet.workers.shared.infrastructure.process.fork import per_process
from docfleet.workers.shared.infrastructure.process.process_settings import settings

log = structlog.get_logger()

ANSWER_SECONDS = 120.0
"""How long to wait for the answer. A call that takes longer continues, and does no harm beside the next one."""


@per_process
def _backend() -> HttpTransport:
    # One attempt: the next tick is the next attempt.
    return HttpTransport(
        settings().internal_api_base_url,
        settings().internal_service_api_key,
        dependency="the backend",
        timeout=ANSWER_SECONDS,
        attempts=1,
    )


def tick_backend(path: str) -> None:
    """One tick: POST to ``path``. The next tick repeats a call that was not answered."""
    try:
        # Not through the breaker: recovery must not be delayed.
        _backend().request("POST", path, body={}, final=True)
    except DependencyError as error:
        log.warning("tick.not_answered", path=path, error=error.message)
