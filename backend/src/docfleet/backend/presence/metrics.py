"""Metrics of the workers that live, for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from docfleet.backend.platform.db import Database
from docfleet.backend.presence import repository as presence
from docfleet.core.names import WORKER_QUEUES, WorkerType
from docfleet.core.presence import WorkerState


def worker_metrics(database: Database) -> Iterator[Metric]:
    """The current values, from the database."""
    with database.reading() as connection:
        living, last_seen = presence.census(connection)
    numbers = Counter((row.type, row.state) for row in living)
    workers = GaugeMetricFamily(
        "docfleet_workers", "Workers that live, by type and by what they do with messages.", labels=["type", "state"]
    )
    seen = GaugeMetricFamily(
        "docfleet_worker_last_seen_timestamp_seconds", "When a worker of the type was heard last.", labels=["type"]
    )
    for kind in WorkerType:
        for state in WorkerState:
            workers.add_metric([kind.value, state.value], numbers[kind.value, state.value])
        if kind in last_seen:
            seen.add_metric([kind.value], last_seen[kind])
    yield workers
    yield seen
    consumers = Counter(queue for row in living if row.state != WorkerState.ENDING for queue in row.queues)
    queues = GaugeMetricFamily("docfleet_queue_workers", "Workers that consume the queue.", labels=["queue"])
    for names in WORKER_QUEUES.values():
        for queue in names:
            queues.add_metric([queue.value], consumers[queue.value])
    yield queues
