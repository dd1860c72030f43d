"""The log of the notification worker: for a first try, and for systems that collect logs."""

from __future__ import annotations

import msgspec
import structlog

from docfleet.core.outbound import Outbound
from docfleet.providers.base import NotificationBatch, Provider

log = structlog.get_logger(__name__)


class ConsoleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """There are no settings."""


class Console(Provider):
    """One line per event."""

    settings_type = ConsoleSettings

    @property
    def target(self) -> None:
        """None: nothing is contacted."""
        return

    def send(self, batch: NotificationBatch, outbound: Outbound) -> None:
        """As ``Provider.send``; never fails."""
        for event in batch.events:
            fields = event.to_dict()
            log.info("notification.console", batch_id=batch.id, what=fields.pop("event"), **fields)
