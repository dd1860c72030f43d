"""``WorkflowLogger``: the lines that the users of an execution see."""

from __future__ import annotations

import time
from typing import Any

import structlog
from celery import current_app, signals

from docfleet.core.log_events import LogEvent, LogLevel, LogStage, LogType, new_event_id, shortened
from docfleet.core.masking import mask_text
from docfleet.workers.shared.infrastructure.context.state_store import (
    EXECUTION_ID,
    LOG_EVENTS_ID,
    ORGANIZATION_ID,
    StateStore,
)
from docfleet.workers.shared.infrastructure.logging.publisher import BrokerSender, LogPublisher
from docfleet.workers.shared.infrastructure.process.fork import per_process
from docfleet.workers.shared.infrastructure.process.process_settings import settings

log = structlog.get_logger()

CLOSE_SECONDS = 2.0
"""How long the end of a process waits for its last lines to be sent."""


@per_process
def _publisher() -> LogPublisher:
    return LogPublisher(BrokerSender(current_app._get_current_object()))


@per_process
def _is_enabled() -> bool:
    return settings().enable_log_history


class WorkflowLogger:
    """Lines of the running task's execution (``StateStore``); a task without one writes none.

    Handing a line over takes microseconds; it never raises and never waits.
    """

    @staticmethod
    def info(stage: LogStage, text: str, **more: Any) -> None:
        """A line."""
        WorkflowLogger.put(LogLevel.INFO, stage, text, **more)

    @staticmethod
    def warn(stage: LogStage, text: str, **more: Any) -> None:
        """A line that deserves attention."""
        WorkflowLogger.put(LogLevel.WARN, stage, text, **more)

    @staticmethod
    def error(stage: LogStage, text: str, **more: Any) -> None:
        """A line about a failure."""
        WorkflowLogger.put(LogLevel.ERROR, stage, text, **more)

    @staticmethod
    def update(component: str, state: str, message: str, **more: Any) -> None:
        """A change of a component's state."""
        _publish(type=LogType.UPDATE, component=component, state=state, message=message, **more)

    @staticmethod
    def progress(component: str, message: str, iteration: int, iteration_total: int, **more: Any) -> None:
        """The progress of a component."""
        counts = {"iteration": iteration, "iteration_total": iteration_total}
        _publish(type=LogType.PROGRESS, component=component, state="RUNNING", message=message, **counts, **more)

    @staticmethod
    def put(level: LogLevel, stage: LogStage, text: str, **more: Any) -> None:
        """A line of this level; ``more`` are fields of ``LogEvent``."""
        _publish(level=level, stage=stage.value, log=text, **more)


def _publish(**fields: Any) -> None:
    execution_id, organization_id = StateStore.get(EXECUTION_ID), StateStore.get(ORGANIZATION_ID)
    try:
        if not execution_id or not organization_id or not _is_enabled():
            return
        for name in ("log", "message"):
            if name in fields:
                fields[name] = shortened(mask_text(fields[name]))
        fields.setdefault("timestamp", time.time())
        event = LogEvent(
            event_id=new_event_id(),
            execution_id=execution_id,
            organization_id=organization_id,
            channel=StateStore.get(LOG_EVENTS_ID) or execution_id,
            **fields,
        )
        _publisher().put(event)
    except Exception as error:  # noqa: BLE001 - the boundary to the task: a log line must not fail a file
        log.error("workflow_log.failed", error=f"{type(error).__name__}: {error}")


def flush() -> None:
    """The end of a task: send its lines, without waiting for the result."""
    if _publisher.is_made:
        _publisher().flush()


def close() -> None:
    """The end of a process: wait a moment until the last lines are sent."""
    if _publisher.is_made and not _publisher().close(CLOSE_SECONDS):
        log.warning("workflow_log.not_flushed")


def _on_shutdown(**_: Any) -> None:
    close()


def install() -> None:
    """Hook into the end of pool children and, where there is no pool, of the worker."""
    signals.worker_process_shutdown.connect(_on_shutdown, weak=False)
    signals.worker_shutdown.connect(_on_shutdown, weak=False)
