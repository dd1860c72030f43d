"""The bodies of the original's webhooks: an envelope for programs, a text for chats."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from docfleet.core.notify import EventData
from docfleet.providers.base import NotificationBatch

MAX_LINES = 25
RULE = "———"


def envelope(batch: NotificationBatch) -> dict[str, Any]:
    """``summary`` and ``events``; a batch of one event has the event's keys at the top, too."""
    body: dict[str, Any] = {
        "summary": {
            "total": len(batch.events),
            "succeeded": len(batch.events) - batch.failed,
            "failed": batch.failed,
        },
        "events": [_event(event) for event in batch.events],
    }
    if len(batch.events) == 1:
        body |= _flat(batch.events[0])
    return body


def readable(timestamp: float) -> str:
    """A time in the original's format: ``2026 May 5 05:03:34 PM``, in UTC."""
    at = datetime.fromtimestamp(timestamp, UTC)
    return f"{at:%Y %b} {at.day} {at:%I:%M:%S %p}"


def headline(batch: NotificationBatch) -> str:
    """``3 executions (2 succeeded, 1 failed)``, as plain text."""
    return f"{count(batch)} ({len(batch.events) - batch.failed} succeeded, {batch.failed} failed)"


def count(batch: NotificationBatch) -> str:
    """``1 execution``, ``2 executions``."""
    return f"{len(batch.events)} execution{'' if len(batch.events) == 1 else 's'}"


def line(event: EventData) -> str:
    """One event as a line of plain text."""
    files = f"{event.failed_files if event.is_failure else event.successful_files}/{event.total_files} files"
    parts = [
        f"{readable(event.timestamp)} UTC",
        event.type,
        event.pipeline_name,
        event.status,
        event.execution_id,
        *([f"{files} {'failed' if event.is_failure else 'succeeded'}"] if event.total_files else []),
        *([event.error_message] if event.error_message else []),
    ]
    return " · ".join(" ".join(part.split()) for part in parts)


def slack_text(batch: NotificationBatch) -> str:
    """The text of a Slack message; what comes from outside is escaped, so that it cannot call a channel."""
    succeeded = len(batch.events) - batch.failed
    lines = [f"*{count(batch)}* (:white_check_mark: {succeeded} succeeded  :x: {batch.failed} failed)", RULE]
    lines += [_slack_line(event) for event in batch.events[:MAX_LINES]]
    if len(batch.events) > MAX_LINES:
        lines += [RULE, f"_… and {len(batch.events) - MAX_LINES} more executions_"]
    return "\n".join(lines)


def escaped(text: str) -> str:
    """``text`` as Slack wants it: its three control characters as entities, one line."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _slack_line(event: EventData) -> str:
    if event.is_failure:
        files = f":x: {event.failed_files}/{event.total_files} files"
    else:
        files = f":white_check_mark: {event.successful_files}/{event.total_files} files"
    parts = [
        readable(event.timestamp),
        f"*{event.execution_id}*",
        event.type,
        escaped(event.pipeline_name),
        event.status,
        *([files] if event.total_files else []),
        *([f"_{escaped(event.error_message)}_"] if event.error_message else []),
    ]
    return " · ".join(parts)


def _files(event: EventData) -> dict[str, int]:
    return {
        "total_files": event.total_files,
        "successful_files": event.successful_files,
        "failed_files": event.failed_files,
    }


def _event(event: EventData) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "type": event.type,
        "pipeline_name": event.pipeline_name,
        "status": event.status,
        "execution_id": event.execution_id,
        "timestamp": readable(event.timestamp),
        "additional_data": _files(event),
        "is_failure": event.is_failure,
    }
    return fields | ({"error_message": event.error_message} if event.error_message else {})


def _flat(event: EventData) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "type": event.type,
        "pipeline_id": event.pipeline_id,
        "pipeline_name": event.pipeline_name,
        "status": event.status,
        "execution_id": event.execution_id,
        "error_message": event.error_message,
        "timestamp": datetime.fromtimestamp(event.timestamp, UTC).isoformat(timespec="seconds"),
        "additional_data": _files(event),
    }
    return {key: value for key, value in fields.items() if value is not None}
