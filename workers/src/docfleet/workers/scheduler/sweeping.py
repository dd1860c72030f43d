"""The tick of the sweep."""

from __future__ import annotations

import structlog

from docfleet.core.errors import DependencyError
from docfleet.workers.shared.clients.transport import HttpTransport
from docfleet.workers.shared.infrastructure.process.fork import per_process
from docfleet.workers.shared.infrastructure.process.runtime import settings

log = structlog.get_logger()

SWEEP_SECONDS = 120.0
"""How long to wait for the answer. A sweep that takes longer goes on, and no second one begins beside it."""


@per_process
def _backend() -> HttpTransport:
    # One attempt: the next tick is the next attempt.
    return HttpTransport(
        settings().internal_api_base_url,
        settings().internal_service_api_key,
        dependency="the backend",
        timeout=SWEEP_SECONDS,
        attempts=1,
    )


def ask_for_sweep() -> None:
    """One tick. A backend that does not answer is asked again by the next one."""
    try:
        # Around the breaker: recovery is never put off.
        _backend().request("POST", "v1/sweep/", body={}, final=True)
    except DependencyError as error:
        log.warning("sweep.not_answered", error=error.message)
