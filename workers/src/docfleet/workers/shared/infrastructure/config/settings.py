"""Settings of a worker process: read once, typed, frozen, handed in.

A Celery setting ``NAME`` is looked up as ``<WORKER_TYPE>_NAME``, then ``CELERY_NAME``, then its default (the
table of worker types); the port of the health endpoints likewise as ``<WORKER_TYPE>_HEALTH_PORT``, then
``WORKER_HEALTH_PORT``. An unknown variable with one of our prefixes is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from docfleet.core.errors import ConfigurationError
from docfleet.core.names import WorkerType
from docfleet.core.outbound import Outbound, parse_networks
from docfleet.core.runs import RESULT_BYTES, RunLimits
from docfleet.core.settings import check_key, environment, read_settings, variables
from docfleet.workers.shared.infrastructure.config.limits import ConfiguredLimits, TimeLimits, time_limits
from docfleet.workers.shared.infrastructure.config.registry import WORKERS, WorkerSpec

Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]

PREFIXES = (
    "CELERY_",
    "WORKER_",
    "BROKER_",
    "INTERNAL_API_",
    "LEASE_",
    "SWEEP_",
    "TICK_",
    "CLAIM_",
    "MAX_PARALLEL_FILE_",
    *(f"TOOL_{limit}" for limit in ("TIMEOUT", "FIRST", "CPU", "MEMORY", "FILE_SIZE", "RESULT", "PROCESSES")),
    *(f"{kind.value.upper()}_" for kind in WorkerType),
)
HEALTH_PORT = "HEALTH_PORT"
_SERIALIZER = re.compile(r"(^|_)(SERIALIZER|ACCEPT_CONTENT)$")


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """What a worker process needs to know. Times are seconds, sizes are bytes."""

    celery_broker_base_url: str
    """The Celery broker: `redis://`, `rediss://` or `amqp://`."""
    celery_result_backend: str
    """Where Celery keeps the results of chords: `redis://`, or `db+postgresql+psycopg://`."""
    redis_url: str
    """The Redis of the cache. It may evict; the broker's may not."""
    internal_api_base_url: str
    """The internal API of the backend, as `http://backend:8000/internal`."""
    internal_service_api_key: str
    """The backend's internal key, at least 32 characters."""
    unstract_runner_url: str
    """Where the runner answers, as `http://runner:5002`."""
    runner_api_key: str
    """The runner's key, at least 32 characters."""
    execution_storage_root: str
    """The folder that backend, runner and workers share, an absolute path."""

    celery_broker_user: str | None = None
    """The broker's user, when it is not part of the URL."""
    celery_broker_pass: str | None = None
    """The password of that user."""
    celery_broker_heartbeat: Positive = 30
    """Seconds between heartbeats. RabbitMQ closes a connection that is silent for two of them."""
    celery_concurrency: Positive | None = None
    """Slots of the pool: tasks that run at once. Unset, the worker type decides."""
    celery_pool_type: Literal["prefork", "solo"] | None = None
    """`prefork` runs tasks in child processes. `solo` runs them in the worker itself, one at a time. Unset, the worker
    type decides."""
    celery_prefetch_multiplier: Positive = 1
    """Messages that each slot reserves. More makes batches wait behind a long one; on RabbitMQ its timeout counts for
    them, too."""
    celery_max_tasks_per_child: Positive | None = None
    """Tasks after which a child is replaced. Lower it when a library leaks memory. Unset, the worker type decides."""
    celery_task_time_limit: Positive | None = None
    """Seconds after which a task is killed. Unset, the worker type decides; on RabbitMQ the limit is made to fit
    `consumer_timeout`."""
    celery_task_soft_time_limit: Positive | None = None
    """Seconds after which a task is interrupted. A batch stops taking files well before and sends the rest on."""
    celery_result_chord_retry_interval: Seconds = 1.0
    """Seconds between two polls of a chord, where the result backend needs them. The end of an execution does not wait
    for them."""
    celery_visibility_timeout: Positive | None = None
    """Seconds until Redis redelivers a message that was not acknowledged. Unset, two time limits; less is refused.
    """
    broker_consumer_timeout_seconds: Positive | None = None
    """RabbitMQ's `consumer_timeout` in seconds, as configured there. Unset, 1800. A time limit that does not fit within
    it is refused."""

    source_still_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 2.0
    """Seconds without a write after which a file of a source counts as complete. One that is written later is left out
    (`still_written`) or refused (`file_changing`). 0 waits for no file, and still refuses those that change while they
    are read. Raise it for writers that pause."""
    internal_api_timeout: Seconds = 30.0
    """Seconds that one call of the backend may take."""
    internal_api_retry_attempts: Positive = 12
    """Attempts of one call of the backend, with growing waits between them."""
    lease_seconds: Annotated[float, msgspec.Meta(ge=3, le=86_400)] = 120.0
    """Seconds after which files that nobody renews go to others. A live worker renews after a third of it. A worker
    that is known to be dead loses its files at once."""
    sweep_interval_seconds: Annotated[float, msgspec.Meta(ge=1)] = 30.0
    """Seconds between two sweeps: how soon freed and expired leases are noticed."""
    tick_interval_seconds: Annotated[float, msgspec.Meta(ge=1)] = 5.0
    """Seconds between two ticks: how soon a scheduled run begins after its time, and how soon a notification is
    repeated."""
    claim_limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50
    """Files that one batch holds under leases at most. A killed worker keeps all of them from others until it is known
    to be dead."""
    file_processing_concurrency: Positive | None = None
    """Slots of the `file_processing` worker. The orchestrating workers read it, too: it is the default number of
    batches per execution. Unset, one per processor."""

    notification_timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0
    """Seconds that one attempt may take, from the connection to the answer. Resolving the name is not counted."""
    notification_lease_seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 40.0
    """Seconds after which the notifications of a dead worker are sent again. At least twice
    NOTIFICATION_TIMEOUT_SECONDS."""
    notification_breaker_seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 30.0
    """Seconds that a host which failed three times in a row is left alone between two probes."""
    notification_allowed_networks: str = ""
    """Private networks that targets may be in, as `10.1.0.0/16`, separated by commas. Empty allows public addresses
    only."""
    notification_ca_file: str | None = None
    """A file of certificates that are trusted for targets, instead of the system's."""

    tool_timeout_seconds: Seconds = 600.0
    """Seconds that one tool run may take. Beyond, it is killed and the file fails with `tool_timeout`."""
    tool_first_seconds: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    """Seconds after which a tool run counts as long. Each MiB and each page that the tool reports adds 2, up to a
    quarter of TOOL_TIMEOUT_SECONDS. A long run goes on only in one of the runner's RUNNER_LONG_RUNS places; otherwise
    it is ended, and its file waits. 0: no run counts as long."""
    tool_cpu_seconds: Positive = 600
    """Seconds of processor time of one tool run. Beyond, it is killed and the file fails with `tool_timeout`."""
    tool_memory_bytes: Positive = 2 * 1024**3
    """Bytes of memory of one tool run. Beyond, the file fails with `tool_memory_exceeded`."""
    tool_file_size_bytes: Positive = 512 * 1024**2
    """Bytes of the largest file a tool run may write. Beyond, the file fails with `tool_output_too_large`."""
    tool_result_bytes: Positive = RESULT_BYTES
    """Bytes of the result of one tool, which the next tool and the delivery hold in memory as a whole, several times
    over. Beyond, the file fails with `tool_output_too_large`."""
    tool_processes: Positive = 64
    """Processes of one tool run at once. Beyond, it is killed and the file fails with `tool_failed`."""

    enable_log_history: bool = True
    """False: workers write no execution log. Set it where no `log_consumer` runs, or lines pile up in the broker."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least serious log line that is written."""
    log_format: Literal["console", "json"] = "console"
    """`json` writes one object per line, `console` is for people."""
    worker_ready_file: str | None = None
    """A file that the worker makes once it consumes messages."""
    worker_grace_seconds: Annotated[float, msgspec.Meta(ge=1)] = 30.0
    """Seconds from SIGTERM to the end of the worker in any case. A shorter time hands back more files; none is lost."""
    worker_nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = 0
    """Added to the niceness of the worker's processes: where processors are scarce, others go first."""
    worker_allow_unsafe_timeouts: bool = False
    """True: start despite time limits that do not fit the broker. Work may then run twice at once, and only fencing
    prevents a double effect."""
    worker_beat_seconds: Annotated[float, msgspec.Meta(ge=0.2, le=60)] = 5.0
    """Seconds between two signs of life to the backend. A worker that misses six counts as dead, and its files go to
    others."""
    worker_health_host: str = "127.0.0.1"
    """The address of the health endpoints."""
    worker_health_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] | None = None
    """The port of the health endpoints; 0 switches them off. Unset, the worker type decides."""
    worker_health_stale_seconds: Seconds = 60.0
    """Seconds that the event loop may stand still before `/health/live` fails."""
    worker_health_broker_seconds: Seconds = 300.0
    """Seconds that the broker may be away before `/health/live` fails."""

    def __post_init__(self) -> None:
        check_key("INTERNAL_SERVICE_API_KEY", self.internal_service_api_key)
        check_key("RUNNER_API_KEY", self.runner_api_key)
        if not Path(self.execution_storage_root).is_absolute():
            raise ValueError("EXECUTION_STORAGE_ROOT must be an absolute path")
        if self.notification_lease_seconds < 2 * self.notification_timeout_seconds:
            raise ValueError("NOTIFICATION_LEASE_SECONDS must be at least twice NOTIFICATION_TIMEOUT_SECONDS")
        _ = self.outbound

    @property
    def broker_url(self) -> str:
        """The broker's URL with user and password put in when they are given apart."""
        if not self.celery_broker_user:
            return self.celery_broker_base_url
        parts = urlsplit(self.celery_broker_base_url)
        login = f"{quote(self.celery_broker_user, safe='')}:{quote(self.celery_broker_pass or '', safe='')}"
        return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}"))

    @property
    def parallel_batches(self) -> int:
        """The default number of batches of a run: the file-processing slots."""
        return self.file_processing_concurrency or processors()

    @property
    def run_limits(self) -> RunLimits:
        """The limits of one tool run."""
        return RunLimits(
            wall_seconds=self.tool_timeout_seconds,
            first_seconds=self.tool_first_seconds,
            cpu_seconds=self.tool_cpu_seconds,
            memory_bytes=self.tool_memory_bytes,
            file_size_bytes=self.tool_file_size_bytes,
            result_bytes=self.tool_result_bytes,
            processes=self.tool_processes,
        )

    @property
    def outbound(self) -> Outbound:
        """The addresses that a notification may connect to. Raises ``ConfigurationError``."""
        networks = parse_networks("NOTIFICATION_ALLOWED_NETWORKS", self.notification_allowed_networks)
        return Outbound(self.notification_timeout_seconds, networks, self.notification_ca_file)

    def health_port(self, spec: WorkerSpec) -> int:
        """The port of this type's health endpoints; 0 switches them off."""
        return spec.health_port if self.worker_health_port is None else self.worker_health_port

    def time_limits(self, spec: WorkerSpec) -> TimeLimits:
        """The time limits of a worker of this type. Raises ``ConfigurationError`` where they do not fit together."""
        configured = ConfiguredLimits(
            soft=self.celery_task_soft_time_limit,
            hard=self.celery_task_time_limit,
            visibility=self.celery_visibility_timeout,
            consumer_timeout=self.broker_consumer_timeout_seconds,
            prefetch=self.celery_prefetch_multiplier,
            allow_unsafe=self.worker_allow_unsafe_timeouts,
        )
        return time_limits(spec, self.broker_url, configured)

    def concurrency(self, spec: WorkerSpec) -> int:
        """Pool size of a worker of this type."""
        return self.celery_concurrency or spec.concurrency or processors()


def processors() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def own_variables(worker_type: WorkerType) -> dict[str, str]:
    """The variables that only workers of this type read, each with the common one that it goes before."""
    prefix = f"{worker_type.value.upper()}_"
    common = [name for name in variables(WorkerSettings) if name.startswith("CELERY_")]
    return {
        **{prefix + name.removeprefix("CELERY_"): name for name in common},
        prefix + HEALTH_PORT: f"WORKER_{HEALTH_PORT}",
    }


def worker_settings(worker_type: WorkerType, source: Mapping[str, str] | None = None) -> WorkerSettings:
    """Read the settings of a worker of ``worker_type``. Raises ``ConfigurationError`` naming the variable."""
    merged = dict(environment() if source is None else source)
    _refuse_other_serializers(merged)
    for own, common in own_variables(worker_type).items():
        if merged.get(own, "").strip():
            merged[common] = merged[own]
    try:
        settings = read_settings(WorkerSettings, merged, prefixes=PREFIXES)
    except msgspec.ValidationError as error:
        raise ConfigurationError(str(error)) from error
    settings.time_limits(WORKERS[worker_type])
    return settings


def _refuse_other_serializers(source: Mapping[str, str]) -> None:
    """Messages and results are JSON. A variable for another serializer raises ``ConfigurationError``."""
    for name, value in source.items():
        if _SERIALIZER.search(name) and re.search(r"pickle|yaml", value, re.IGNORECASE):
            raise ConfigurationError(
                f"{name}={value}: Docfleet accepts JSON only, because the sender of a pickled message runs code in the "
                f"worker that reads it; remove {name}"
            )
