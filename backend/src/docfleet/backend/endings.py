"""What follows the end of an API's execution, once it is committed: whoever waits wakes, its place is free, the
staged files that succeeded go. And of what the outbox may send at once: it goes."""

from __future__ import annotations

from typing import Any

import structlog

from docfleet.backend.calls.places import Slots
from docfleet.backend.calls.staging import Staging
from docfleet.backend.executions.state import Ended
from docfleet.backend.logs.readers import LogReaders
from docfleet.backend.notifications.dispatching import NotificationDispatcher
from docfleet.backend.notifications.outbox import Recorded
from docfleet.backend.platform.db import Database
from docfleet.backend.platform.waiting import Waiting

log = structlog.get_logger(__name__)


class Endings:
    """``Database.after_commit`` of the application. A process that dies before it is done leaves places to the
    sweep, files too, and waiters to their own look at the row."""

    def __init__(
        self,
        database: Database,
        waiting: Waiting,
        slots: Slots,
        staging: Staging,
        notification_dispatcher: NotificationDispatcher,
        log_readers: LogReaders,
    ) -> None:
        self._database = database
        self._waiting = waiting
        self._slots = slots
        self._staging = staging
        self._notification_dispatcher = notification_dispatcher
        self._log_readers = log_readers

    def __call__(self, events: list[Any]) -> None:
        """Handle what a transaction brought about. Never raises: the transaction is committed."""
        if any(isinstance(event, Recorded) for event in events):
            self._notification_dispatcher.wake()
        ended = [event for event in events if isinstance(event, Ended)]
        for event in ended:
            self._waiting.signal(event.execution_id)
        self._log_readers.wake(event.execution_id for event in ended)
        ended = [event for event in ended if event.api_deployment_id is not None]
        if ended:
            try:
                self._slots.release([(event.organization_id, event.execution_id) for event in ended])
                self._staging.settle(self._database, ended)
            except Exception:
                log.exception("endings.failed")
