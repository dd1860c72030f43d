"""The log of an execution: its lines, pages of them, and the frames of the live stream."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from docfleet.core.log_events import LogLevel, LogType
from docfleet.core.status import ExecutionStatus


class LogLine(msgspec.Struct, kw_only=True):
    """One line: the fields of ``LogEvent`` without its execution, and its number (``sequence``) in the log.

    ``timestamp`` is in seconds since the epoch. The fields from ``channel`` on are left out where nothing was given.
    """

    sequence: int
    event_id: str
    timestamp: float
    type: LogType
    level: LogLevel
    stage: str
    file_execution_id: str | None
    log: str = ""
    component: str = ""
    state: str = ""
    message: str = ""
    channel: str | UnsetType = UNSET
    step: int | UnsetType = UNSET
    iteration: int | UnsetType = UNSET
    iteration_total: int | UnsetType = UNSET
    cost_type: str | UnsetType = UNSET
    cost_units: str | UnsetType = UNSET
    cost_value: float | UnsetType = UNSET
    details: dict[str, Any] | UnsetType = UNSET


class LogPage(msgspec.Struct):
    """Lines in their order; ``next`` is the ``after`` of the next page."""

    logs: list[LogLine]
    next: int | None


class LogFrame(msgspec.Struct, kw_only=True):
    """One frame of the live stream: ``events`` are new lines. The last frame has ``end`` and ``status`` instead.

    ``last_event_id`` is the number up to which the log is read. A client that reconnects continues from there.
    """

    events: list[LogLine] | UnsetType = UNSET
    end: bool | UnsetType = UNSET
    status: ExecutionStatus | UnsetType = UNSET
    last_event_id: int
