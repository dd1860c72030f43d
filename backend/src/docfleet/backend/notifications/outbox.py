"""The outbox: an event is a row, written in the transaction in which it happens.

A process that sends it may die; the row stays until its target has it, or until it is dead and a person has to act.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
from sqlalchemy import Connection, Float, bindparam, select

from docfleet.backend.platform.db import Record, db_now, emit, upsert
from docfleet.backend.tables.deployments import api_deployments
from docfleet.backend.tables.notifications import notification_events, notifications
from docfleet.backend.tables.pipelines import pipelines
from docfleet.core.ids import new_id
from docfleet.core.management.keys import Scope
from docfleet.core.names import WorkflowType
from docfleet.core.notify import EventData, NotificationEvent
from docfleet.core.status import ExecutionStatus

MAX_ERROR_LENGTH = 500


class EventWritten(msgspec.Struct, frozen=True):
    """An event that may be sent at once was written; announced after the commit (``Database.after_commit``)."""


class FileCounts(msgspec.Struct, frozen=True):
    """Numbers of files of an execution."""

    total: int = 0
    completed: int = 0
    error: int = 0


_SUBSCRIBED = select(notifications).where(
    notifications.c.organization_id == bindparam("organization"),
    notifications.c.scope == bindparam("scope"),
    notifications.c.target_id == bindparam("target"),
    notifications.c.is_active,
)


def write_ended(
    connection: Connection, execution: Record, status: ExecutionStatus, numbers: FileCounts, error: str | None
) -> None:
    """An execution of a pipeline or an API has reached its final ``status``."""
    if status is ExecutionStatus.ERROR:
        event = NotificationEvent.FAILED
    elif status is ExecutionStatus.STOPPED:
        event = NotificationEvent.STOPPED
    else:
        event = NotificationEvent.PARTLY_FAILED if numbers.error else NotificationEvent.COMPLETED
    _write_all(connection, execution, event, numbers, error)


def write_started(connection: Connection, execution: Record) -> None:
    """An execution of a pipeline was created."""
    if execution.pipeline_id:
        _write_all(connection, execution, NotificationEvent.STARTED, FileCounts(), None)


def write_test(connection: Connection, notification: Record) -> str:
    """Write a test event of ``notification``; the event's id."""
    described = _describe_target(connection, Scope(notification.scope), notification.target_id)
    kind, name = described or (WorkflowType.API.value, notification.name)
    data = EventData(
        event=NotificationEvent.TEST,
        type=kind,
        pipeline_id=notification.target_id,
        pipeline_name=name,
        status="TEST",
        execution_id=new_id(),
        timestamp=time.time(),
    )
    return _write(connection, notification, data, 0.0)


def _write_all(
    connection: Connection, execution: Record, event: NotificationEvent, numbers: FileCounts, error: str | None
) -> None:
    if execution.pipeline_id:
        scope, target = Scope.PIPELINE, execution.pipeline_id
    elif execution.api_deployment_id:
        scope, target = Scope.DEPLOYMENT, execution.api_deployment_id
    else:
        return
    parameters = {"organization": execution.organization_id, "scope": scope.value, "target": target}
    rows = [row for row in connection.execute(_SUBSCRIBED, parameters) if event.value in row.events]
    if not rows:
        return
    described = _describe_target(connection, scope, target)
    if described is None:
        return
    kind, name = described
    data = EventData(
        event=event,
        type=kind,
        pipeline_id=target,
        pipeline_name=name,
        status=_original_status(event, kind),
        execution_id=execution.id,
        timestamp=time.time(),
        total_files=numbers.total,
        successful_files=numbers.completed,
        failed_files=numbers.error,
        error_message=error[:MAX_ERROR_LENGTH] if error else None,
    )
    for row in rows:
        if data.is_failure or not row.notify_on_failures:
            _write(connection, row, data, row.club_seconds)


def _describe_target(connection: Connection, scope: Scope, target: str) -> tuple[str, str] | None:
    """Type and name of a pipeline or deployment."""
    if scope is Scope.PIPELINE:
        statement = select(pipelines.c.pipeline_type, pipelines.c.pipeline_name).where(pipelines.c.id == target)
        row = connection.execute(statement).one_or_none()
        return None if row is None else (row.pipeline_type, row.pipeline_name)
    name = connection.scalar(select(api_deployments.c.api_name).where(api_deployments.c.id == target))
    return None if name is None else (WorkflowType.API.value, name)


def _original_status(event: NotificationEvent, kind: str) -> str:
    """The status as the original names it: success of an API has another name than success of a pipeline."""
    match event:
        case NotificationEvent.STARTED:
            return "INPROGRESS"
        case NotificationEvent.FAILED:
            return "ERROR"
        case NotificationEvent.STOPPED:
            return "STOPPED"
        case _:
            return "COMPLETED" if kind == WorkflowType.API else "SUCCESS"


def _write(connection: Connection, notification: Record, data: EventData, club_seconds: float) -> str:
    event_id = new_id()
    values: dict[str, Any] = {
        "id": event_id,
        "organization_id": notification.organization_id,
        "notification_id": notification.id,
        "execution_id": data.execution_id,
        "event": data.event.value,
        "data": data.to_dict(),
        "due_at": db_now() + bindparam("club", club_seconds, type_=Float),
        "batch_id": None,
        "created_at": db_now(),
    }
    # Each execution has each of its events once, even if it is ended twice.
    statement = upsert(connection, notification_events).values(**values)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["notification_id", "event", "execution_id"]))
    if not club_seconds:
        emit(connection, EventWritten())
    return event_id
