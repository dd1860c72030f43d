"""Health of the backend, and its metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from prometheus_client import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from docfleet.backend.calls.slots import Slots
from docfleet.backend.executions import waiting_notes
from docfleet.backend.executions.sweep_metrics import SweepMetrics
from docfleet.backend.logs.readers import LogReaders
from docfleet.backend.notifications.metrics import outbox_metrics
from docfleet.backend.platform.db import Database
from docfleet.backend.presence.metrics import worker_metrics
from docfleet.backend.schedules.metrics import schedule_metrics


@get("/livez", sync_to_thread=False, opt={"public": True}, tags=["health"])
def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@get("/readyz", sync_to_thread=True, opt={"public": True}, tags=["health"])
def readyz(database: NamedDependency[Database]) -> Response[dict[str, str]]:
    """The database answers; 503 when it does not."""
    database.check()
    return Response({"status": "ok"})


@get(
    "/metrics",
    sync_to_thread=True,
    opt={"organization": False, "metrics": True},
    media_type=MediaType.TEXT,
    tags=["health"],
)
def metrics(
    slots: NamedDependency[Slots],
    database: NamedDependency[Database],
    sweep_metrics: NamedDependency[SweepMetrics],
    log_readers: NamedDependency[LogReaders],
) -> str:
    """Metrics in the format of Prometheus. The key is METRICS_API_KEY, or the internal key."""
    unchecked = "Calls of APIs let in unchecked because Redis did not answer."
    families = [
        CounterMetricFamily("docfleet_rate_limit_unavailable", unchecked, slots.unavailable),
        *sweep_metrics.collect(database),
        *waiting_notes.metrics(database),
        *log_readers.collect(),
        *outbox_metrics(database),
        *schedule_metrics(database),
        *worker_metrics(database),
    ]
    return generate_latest(_Snapshot(families)).decode()


class _Snapshot(Collector):
    """The metrics of one answer. Each service counts by itself; there is no registry of the process."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


handlers = [livez, readyz, metrics]
