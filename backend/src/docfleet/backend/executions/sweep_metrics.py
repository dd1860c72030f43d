"""What the sweeps of this process did, and how the executions stand, as Prometheus reads it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import msgspec
from sqlalchemy import func, select

from docfleet.backend.db import Database, db_now
from docfleet.backend.executions.models import executions
from docfleet.backend.executions.sweep import SweepResult
from docfleet.core.status import OPEN

_STANDING = select(func.count(), func.coalesce(func.max(db_now() - executions.c.progress_at), 0.0)).where(
    executions.c.status.in_([status.value for status in OPEN])
)
_DID = {
    "redispatched_files": "Files handed out again after their lease ran out or was freed.",
    "redispatched_executions": "Executions whose orchestration or batch was sent again.",
    "finalized": "Executions that only the sweep ended.",
    "poisoned": "Files given up after too many lost processes or workers.",
    "expired": "Executions ended by a deadline.",
    "failed": "Executions a sweep could not look after; its log says why.",
}


class SweepMetrics:
    """Counters of this process; the gauges are asked of the database when they are read."""

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

    def lines(self, database: Database) -> Iterator[str]:
        """The exposition, line by line."""
        with database.reading() as connection:
            number, oldest = connection.execute(_STANDING).one()
        with self._lock:
            for name, meaning in _DID.items():
                yield from _one(f"docfleet_sweep_{name}_total", "counter", meaning, getattr(self._total, name))
            took = "Time spent sweeping; sum and count give the mean."
            yield from _one("docfleet_sweep_duration_seconds_sum", "counter", took, round(self._seconds, 6))
            yield from _one("docfleet_sweep_duration_seconds_count", "counter", took, self._sweeps)
            last = "When this process swept last, 0 for never; the newest of all backends counts."
            yield from _one("docfleet_sweep_last_timestamp_seconds", "gauge", last, round(self._last, 3))
        yield from _one("docfleet_executions_open", "gauge", "Executions that have not ended.", number)
        age = "How long ago the open execution that waits longest made progress."
        yield from _one("docfleet_oldest_progress_age_seconds", "gauge", age, round(max(float(oldest), 0.0), 3))


def _one(name: str, kind: str, meaning: str, value: float) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"
    yield f"{name} {value}"
