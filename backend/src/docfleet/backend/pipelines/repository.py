"""Reads and writes of pipelines."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from docfleet.backend.db import Record, db_now
from docfleet.backend.pipelines.models import pipelines
from docfleet.core.errors import NotFound
from docfleet.core.status import PipelineStatus


def find(connection: Connection, organization_id: str, pipeline_id: str) -> Record:
    """The pipeline's row. Raises ``NotFound``."""
    row = connection.execute(
        select(pipelines).where(pipelines.c.id == pipeline_id, pipelines.c.organization_id == organization_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no pipeline {pipeline_id} in this organization")
    return row


def put_status(
    connection: Connection, organization_id: str, pipeline_id: str, status: PipelineStatus, *, is_end: bool
) -> bool:
    """Note the status of the last run; False when there is no such pipeline."""
    ended = {"last_run_time": db_now(), "run_count": pipelines.c.run_count + 1} if is_end else {}
    statement = (
        update(pipelines)
        .where(pipelines.c.id == pipeline_id, pipelines.c.organization_id == organization_id)
        .values(last_run_status=status.value, modified_at=db_now(), **ended)
    )
    return connection.execute(statement).rowcount == 1


def finished(connection: Connection, execution: Record, status: PipelineStatus) -> None:
    """Tell the execution's pipeline, if it has one, how the run ended."""
    if execution.pipeline_id:
        put_status(connection, execution.organization_id, execution.pipeline_id, status, is_end=True)
