"""Events and batches that providers send, and connections that may reach the loopback."""

from __future__ import annotations

import ipaddress
import uuid
from typing import Any

from docfleet.core.notify import EventData, NotificationEvent
from docfleet.core.outbound import Outbound
from docfleet.providers.base import NotificationBatch

LOOPBACK = Outbound(3.0, (ipaddress.ip_network("127.0.0.0/8"),))
AT = 1777957414.0


def event(**changes: Any) -> EventData:
    values: dict[str, Any] = {
        "event": NotificationEvent.COMPLETED,
        "type": "ETL",
        "pipeline_id": "p-1",
        "pipeline_name": "nightly",
        "status": "SUCCESS",
        "execution_id": "e-1",
        "timestamp": AT,
        "total_files": 3,
        "successful_files": 3,
    }
    return EventData(**(values | changes))


FAILED = {"event": NotificationEvent.FAILED, "status": "ERROR", "successful_files": 1, "failed_files": 2}


def batch(*events: EventData) -> NotificationBatch:
    return NotificationBatch(str(uuid.uuid4()), list(events or [event()]))
