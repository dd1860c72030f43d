"""Task of the ``log_consumer`` worker."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from docfleet.core.names import TaskName
from docfleet.workers.log_consumer.delivery import consume


@shared_task(
    name=TaskName.LOGS_CONSUMER.value,
    ignore_result=True,
    # These lines are in no row yet. The message is their only copy, so it is requeued when a child dies over it.
    reject_on_worker_lost=True,
)
def logs_consumer(
    events: Any = None, event: Any = "", message: Any = None, user_session_id: Any = "", **_: Any
) -> None:
    """Write lines of executions' logs: either ``events``, or the single ``message`` of the original."""
    consume(events if events is not None else [message], str(user_session_id or event or "").removeprefix("logs:"))
