"""Metrics of the schedules, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy import func, select

from docfleet.backend.platform.db import Database, db_now
from docfleet.backend.tables.pipelines import pipelines

_ACTIVE_SCHEDULES = select(func.count(), func.min(pipelines.c.next_run_at), db_now()).where(
    pipelines.c.next_run_at.is_not(None)
)


def schedule_metrics(database: Database) -> Iterator[Metric]:
    """The current values, from the database."""
    with database.reading() as connection:
        number, earliest, now = connection.execute(_ACTIVE_SCHEDULES).one()
    overdue = 0.0 if earliest is None else max(now - earliest, 0.0)
    yield GaugeMetricFamily("docfleet_schedules_active", "Pipelines that run by a schedule and are not paused.", number)
    yield GaugeMetricFamily(
        "docfleet_schedule_overdue_seconds", "How long the run waits that has been due longest.", round(overdue, 3)
    )
