"""Metrics of the sweeps of this process, and of open executions."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import msgspec
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from sqlalchemy import func, select

from docfleet.backend.executions.sweep import SweepResult
from docfleet.backend.platform.db import Database, db_now
from docfleet.backend.tables.executions import executions
from docfleet.core.status import OPEN

_OPEN_EXECUTIONS = select(func.count(), func.coalesce(func.max(db_now() - executions.c.progress_at), 0.0)).where(
    executions.c.status.in_([status.value for status in OPEN])
)
_COUNTERS = {
    "redispatched_files": "Files handed out again after their lease ran out or was freed.",
    "redispatched_executions": "Executions whose orchestration or batch was sent again.",
    "finalized": "Executions that only the sweep ended.",
    "poisoned": "Files given up after too many lost processes or workers.",
    "expired": "Executions ended by a deadline.",
    "failed": "Executions a sweep failed to handle; the log has the reason.",
}


class SweepMetrics:
    """Counters of this process; the gauges are queried from the database when they are read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = SweepResult()
        self._sweeps = 0
        self._seconds = 0.0
        self._last = 0.0

    def add(self, result: SweepResult, seconds: float) -> None:
        """Count one sweep that took ``seconds``."""
        with self._lock:
            for name, number in msgspec.structs.asdict(result).items():
                setattr(self._total, name, getattr(self._total, name) + number)
            self._sweeps += 1
            self._seconds += seconds
            self._last = time.time()

    def collect(self, database: Database) -> Iterator[Metric]:
        """The counters, and gauges of the open executions now."""
        with database.reading() as connection:
            number, oldest = connection.execute(_OPEN_EXECUTIONS).one()
        with self._lock:
            did = msgspec.structs.asdict(self._total)
            sweeps, seconds, last = self._sweeps, self._seconds, self._last
        for name, meaning in _COUNTERS.items():
            yield CounterMetricFamily(f"docfleet_sweep_{name}", meaning, did[name])
        yield SummaryMetricFamily("docfleet_sweep_duration_seconds", "Time spent sweeping.", sweeps, seconds)
        newest = "When this process swept last, 0 for never; the newest of all backends counts."
        yield GaugeMetricFamily("docfleet_sweep_last_timestamp_seconds", newest, last)
        yield GaugeMetricFamily("docfleet_executions_open", "Executions that have not ended.", number)
        age = "How long ago the open execution that waits longest made progress."
        yield GaugeMetricFamily("docfleet_oldest_progress_age_seconds", age, max(float(oldest), 0.0))
