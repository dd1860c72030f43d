"""The heartbeat: what the backend is asked to do every so many seconds. What is due, it knows itself."""

from __future__ import annotations

import structlog

from docfleet.core.errors import DependencyError
from docfleet.workers.shared.clients.transport import HttpTransport
from docfleet.workers.shared.infrastructure.process.fork import per_process
from docfleet.workers.shared.infrastructure.process.runtime import settings

log = structlog.get_logger()

ANSWER_SECONDS = 120.0
"""How long to wait for the answer. What takes longer goes on, and is harmless beside a second one."""


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


def ask(path: str) -> None:
    """One tick: POST to ``path``. A backend that does not answer is asked again by the next one."""
    try:
        # Around the breaker: recovery is never put off.
        _backend().request("POST", path, body={}, final=True)
    except DependencyError as error:
        log.warning("tick.not_answered", path=path, error=error.message)
