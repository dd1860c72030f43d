"""Metrics of the outbox, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from docfleet.backend.notifications import attempts
from docfleet.backend.platform.db import Database


def outbox_metrics(database: Database) -> Iterator[Metric]:
    """The current values, from the database."""
    with database.reading() as connection:
        counts = attempts.counts(connection)
    meaning = "Events of notifications by state, as long as they are kept."
    events = GaugeMetricFamily("docfleet_notification_events", meaning, labels=["state"])
    for state, number in counts.items():
        events.add_metric([state], number)
    yield events
