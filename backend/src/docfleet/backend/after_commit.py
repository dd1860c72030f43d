"""Actions after a commit. The end of an execution wakes its waiters, frees its slot and deletes its staged files; the
end of a batch lets others of its organization be sent. Notifications that may be sent at once are sent."""

from __future__ import annotations

from typing import Any

import structlog

from docfleet.backend.calls.slots import Slots
from docfleet.backend.calls.staging import Staging
from docfleet.backend.executions import open_batches
from docfleet.backend.executions.fair_share import Policy
from docfleet.backend.executions.open_batches import BatchEnded, SlotWanted
from docfleet.backend.executions.slot_hints import SlotHints
from docfleet.backend.executions.state import Ended
from docfleet.backend.logs.readers import LogReaders
from docfleet.backend.notifications.dispatching import NotificationDispatcher
from docfleet.backend.notifications.outbox import EventWritten
from docfleet.backend.platform.db import Database
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.platform.waiting import WaitingCallers

log = structlog.get_logger(__name__)


class AfterCommit:
    """``Database.after_commit`` of the application. When the process dies before it is done, the sweep frees places and
    deletes files, and waiters read the row by themselves."""

    def __init__(
        self,
        database: Database,
        waiting: WaitingCallers,
        slots: Slots,
        staging: Staging,
        notification_dispatcher: NotificationDispatcher,
        log_readers: LogReaders,
        dispatcher: Dispatcher,
        slot_hints: SlotHints,
        policy: Policy,
    ) -> None:
        self._database = database
        self._waiting = waiting
        self._slots = slots
        self._staging = staging
        self._notification_dispatcher = notification_dispatcher
        self._log_readers = log_readers
        self._dispatcher = dispatcher
        self._slot_hints = slot_hints
        self._policy = policy

    def __call__(self, events: list[Any]) -> None:
        """Handle the events of a transaction. Never raises: the transaction is committed."""
        if any(isinstance(event, EventWritten) for event in events):
            self._notification_dispatcher.wake()
        for event in events:
            if isinstance(event, SlotWanted):
                self._slot_hints.send(is_api=event.is_api)
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
        self._fill(events)

    def _fill(self, events: list[Any]) -> None:
        """Send batches in place of those that have ended."""
        runs = [
            event
            for event in events
            if isinstance(event, BatchEnded) or (isinstance(event, Ended) and event.api_deployment_id is None)
        ]
        try:
            if any(isinstance(event, Ended) for event in runs):
                open_batches.fill_all(self._database, self._dispatcher, self._policy)
                return
            for organization_id in sorted({event.organization_id for event in runs}):
                open_batches.fill(self._database, self._dispatcher, organization_id, self._policy)
        except Exception:
            log.exception("batches.not_filled")
