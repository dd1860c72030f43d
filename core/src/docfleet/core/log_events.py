"""Lines of an execution's log, as users see them, from the process that writes one to its readers.

The keys are those of the original's payloads (Unstract at 6b916eac), with ``event_id`` and ``channel`` added: an event
that is sent twice is written once. These lines are for people; what a process writes about itself goes to its own log.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from docfleet.core.ids import ORGANIZATION_ID
from docfleet.core.wire import Wire

MAX_TEXT_LENGTH = 4000
"""Characters of a line; the rest is cut."""
MAX_EVENTS = 1000
"""The most events of one message, and of one call of the backend."""
MAX_EVENT_BYTES = 16 * 1024
"""The most bytes of an event as JSON. A larger event loses the keys that are not ours."""


class LogType(StrEnum):
    """What an event is: a line, a change of a component's state, or how far something is."""

    LOG = "LOG"
    UPDATE = "UPDATE"
    PROGRESS = "PROGRESS"


class LogLevel(StrEnum):
    """How serious it is, in rising order."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"

    @property
    def rank(self) -> int:
        """Position in the order above; 0 is the least serious."""
        return _RANKS[self]

    @classmethod
    def of(cls, word: str) -> LogLevel:
        """The level that a word of a tool or another sender stands for."""
        word = word.upper()
        if word in ("ERROR", "FATAL", "CRITICAL"):
            return cls.ERROR
        return cls.WARN if word in ("WARN", "WARNING") else cls.INFO


_RANKS = {level: rank for rank, level in enumerate(LogLevel)}


class LogStage(StrEnum):
    """Where in an execution it happened."""

    COMPILE = "COMPILE"
    BUILD = "BUILD"
    TOOL = "TOOL"
    RUN = "RUN"
    SOURCE = "SOURCE"
    DESTINATION = "DESTINATION"
    INITIALIZE = "INITIALIZE"
    FINALIZE = "FINALIZE"
    PROCESSING = "PROCESSING"


class LogState(StrEnum):
    """The state of a component in an UPDATE."""

    RUNNING = "RUNNING"
    BEGIN_WORKFLOW = "BEGIN_WORKFLOW"
    END_WORKFLOW = "END_WORKFLOW"
    PROGRESS_MAX_UPDATE = "PROGRESS_MAX_UPDATE"
    SUCCESS = "SUCCESS"
    ERROR = "ERROR"
    MESSAGE = "MESSAGE"
    OUTPUT_UPDATE = "OUTPUT_UPDATE"
    INPUT_UPDATE = "INPUT_UPDATE"
    NEXT = "NEXT"


class LogEvent(Wire):
    """One event. ``timestamp`` is in seconds since the epoch. LOG has ``log``; UPDATE and PROGRESS have ``component``,
    ``state`` and ``message``. ``stage``, ``state`` and ``component`` are text of the sender; ours are those of the
    enumerations above. ``details`` holds keys of other senders."""

    event_id: str
    timestamp: float
    execution_id: str
    organization_id: str
    type: LogType = LogType.LOG
    level: LogLevel = LogLevel.INFO
    stage: str = ""
    log: str = ""
    component: str = ""
    state: str = ""
    message: str = ""
    file_execution_id: str | None = None
    channel: str = ""
    step: int | None = None
    iteration: int | None = None
    iteration_total: int | None = None
    cost_type: str | None = None
    cost_units: str | None = None
    cost_value: float | None = None
    details: dict[str, Any] = {}


class LogBatch(Wire):
    """Body of ``POST v1/logs/``: events of one organization."""

    events: list[LogEvent]


class LogsWritten(Wire):
    """The outcome of a batch: ``written`` events, ``repeated`` events that had been written before, and
    ``dropped`` events of executions of another organization or with an archived log."""

    written: int = 0
    repeated: int = 0
    dropped: int = 0


def new_event_id() -> str:
    """32 hex characters that sort by time: milliseconds, then random digits."""
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"


_KNOWN = {field.name: field for field in msgspec.structs.fields(LogEvent)}
_TEXTS = ("stage", "log", "state", "message", "channel")
_OPTIONAL = ("file_execution_id", "step", "iteration", "iteration_total", "cost_type", "cost_units", "cost_value")


def read_event(payload: Any, channel: str = "") -> LogEvent | None:
    """An event from the payload of a message, ours or the original's. None when it is no event, or lacks one of
    ``execution_id``, ``organization_id`` and ``timestamp``, without which it belongs nowhere.

    An event without an id gets one made from its content, so a repeated message is the same event.
    """
    try:
        try:
            return _fitting(_read(payload, channel))
        except UnicodeEncodeError:
            # A lone surrogate, as in the name of a file that is not UTF-8. The line is kept without it.
            replaced = json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace")
            return _fitting(_read(json.loads(replaced), channel))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None  # a number of a hundred digits: only this event is dropped


def _fitting(event: LogEvent | None) -> LogEvent | None:
    if event is None or len(msgspec.json.encode(event)) <= MAX_EVENT_BYTES:
        return event
    bare = msgspec.structs.replace(event, details={})
    return bare if len(msgspec.json.encode(bare)) <= 8 * MAX_EVENT_BYTES else None  # more than all the texts can be


def _read(payload: Any, channel: str) -> LogEvent | None:
    if not isinstance(payload, Mapping):
        return None
    execution_id, organization_id = payload.get("execution_id"), payload.get("organization_id")
    timestamp = payload.get("timestamp")
    if not (isinstance(execution_id, str) and isinstance(organization_id, str) and execution_id):
        return None
    if not ORGANIZATION_ID.match(organization_id):
        return None  # the backend would refuse the id, and the message would be redelivered forever
    if not isinstance(timestamp, int | float) or isinstance(timestamp, bool) or not 0 < timestamp < 1e11:
        return None
    fields: dict[str, Any] = {
        "event_id": _event_id(payload),
        "timestamp": float(timestamp),
        "execution_id": execution_id,
        "organization_id": organization_id,
        "type": payload["type"] if str(payload.get("type")) in LogType.__members__ else LogType.LOG,
        "level": LogLevel.of(str(payload.get("level") or "INFO")),
        "component": _component(payload.get("component")),
        "channel": channel,
    }
    for name in _TEXTS:
        if isinstance(payload.get(name), str):
            fields[name] = shortened(payload[name])
    fields |= {name: payload[name] for name in _OPTIONAL if payload.get(name) is not None}
    details = payload.get("details")
    details = dict(details) if isinstance(details, Mapping) else {}
    fields["details"] = {**details, **{name: value for name, value in payload.items() if name not in _KNOWN}}
    try:
        return msgspec.convert(fields, LogEvent, strict=False)
    except msgspec.ValidationError:
        for name in _OPTIONAL:
            fields.pop(name, None)
        return msgspec.convert(fields, LogEvent, strict=False)


def shortened(text: str) -> str:
    """At most ``MAX_TEXT_LENGTH`` characters of it."""
    return text if len(text) <= MAX_TEXT_LENGTH else text[: MAX_TEXT_LENGTH - 1] + "…"


def _event_id(payload: Mapping[str, Any]) -> str:
    given = payload.get("event_id")
    # Only an id that a column stores unchanged (it replaces a NUL): otherwise a repeat would not be recognized.
    if isinstance(given, str) and 0 < len(given) <= 64 and given.isprintable():
        return given
    return hashlib.sha256(msgspec.json.encode(payload, order="deterministic")).hexdigest()[:32]


def _component(value: Any) -> str:
    # The original's PROGRESS has an object here.
    if isinstance(value, str):
        return shortened(value)
    return msgspec.json.encode(value, order="deterministic").decode()[:MAX_TEXT_LENGTH] if value else ""
