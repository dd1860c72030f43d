"""Vital signs as Prometheus text. Loaded by the health process only, at the first request: 5 MB."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from docfleet.workers.shared.infrastructure.process.vitals import Vitals

_TASK_METRICS = (
    ("tasks_started", "started", "Tasks started."),
    ("tasks_succeeded", "succeeded", "Tasks that ended well."),
    ("tasks_failed", "failed", "Tasks that raised."),
    ("task_seconds", "seconds", "Seconds spent in tasks that ended."),
)
_SLOT_METRICS = (
    ("tasks_active", "busy", GaugeMetricFamily, "Tasks in work."),
    ("children_started", "children", CounterMetricFamily, "Pool children started."),
    ("children_lost", "lost", CounterMetricFamily, "Pool children that died and were replaced."),
)
_PREFIX = "docfleet_worker_"


def exposition(worker: str, vitals: Vitals, now: float) -> bytes:
    """All metrics; ``now`` on the monotonic clock."""
    return generate_latest(_Vital(worker, vitals, now))


class _Vital(Collector):
    def __init__(self, worker: str, vitals: Vitals, now: float) -> None:
        self._worker = worker
        self._vitals = vitals
        self._now = now

    def collect(self) -> Iterator[Metric]:
        worker, vitals = self._worker, self._vitals
        for name, field, meaning in _TASK_METRICS:
            of_tasks = CounterMetricFamily(_PREFIX + name, meaning, labels=["worker", "task"])
            for task in vitals.tasks:
                of_tasks.add_metric([worker, task], vitals.total(field, task))
            yield of_tasks
        for name, field, family, meaning in _SLOT_METRICS:
            of_slots = family(_PREFIX + name, meaning, labels=["worker"])
            of_slots.add_metric([worker], vitals.total(field))
            yield of_slots
        ending, unconnected = vitals.get("ending_since"), vitals.get("unconnected_since")
        for name, value, meaning in (
            ("slots", float(vitals.slots), "Size of the pool."),
            (
                "ready",
                float(bool(vitals.get("ready") and not ending and not unconnected)),
                "1 while it takes messages.",
            ),
            ("broker_connected", float(not unconnected), "1 while it is connected to the broker."),
            ("ending", float(bool(ending)), "1 while it shuts down."),
            ("heartbeat_age_seconds", self._now - vitals.get("beat"), "Since the event loop turned."),
            ("uptime_seconds", self._now - vitals.get("started_at"), "Since the start."),
        ):
            gauge = GaugeMetricFamily(_PREFIX + name, meaning, labels=["worker"])
            gauge.add_metric([worker], value)
            yield gauge
