"""``docfleet worker TYPE``: starts a Celery worker of a type."""

# ruff: noqa: E402 - gRPC reads these variables when the first connector imports it
from __future__ import annotations

from docfleet.core.exit_codes import ExitCode
from docfleet.core.settings import set_default

set_default("GRPC_ENABLE_FORK_SUPPORT", "1")
set_default("GRPC_POLL_STRATEGY", "poll")

import socket
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog
from celery import Celery, signals
from celery.worker import state

from docfleet.connectors.registry import connector_class
from docfleet.core import descriptors, priority
from docfleet.core.errors import ConfigurationError
from docfleet.core.logs import configure_logging
from docfleet.core.names import QueueName, WorkerType
from docfleet.workers.shared.infrastructure.celery.builder import WorkerBuilder
from docfleet.workers.shared.infrastructure.celery.lost_children import WatchingPool
from docfleet.workers.shared.infrastructure.config.registry import WORKERS, WorkerSpec
from docfleet.workers.shared.infrastructure.config.servers import check_servers
from docfleet.workers.shared.infrastructure.config.settings import WorkerSettings
from docfleet.workers.shared.infrastructure.logging import workflow_log
from docfleet.workers.shared.infrastructure.process.beat import watch_beat
from docfleet.workers.shared.infrastructure.process.companion import Companion, watch_companion
from docfleet.workers.shared.infrastructure.process.file_in_work import watch_files
from docfleet.workers.shared.infrastructure.process.fork import freeze_before_fork, install_signals
from docfleet.workers.shared.infrastructure.process.health import HealthLimits, HealthServer
from docfleet.workers.shared.infrastructure.process.heartbeat import HeartbeatKeeper
from docfleet.workers.shared.infrastructure.process.presence import Presence
from docfleet.workers.shared.infrastructure.process.process_settings import load_settings
from docfleet.workers.shared.infrastructure.process.shutdown import GracefulShutdown, watch_shutdown
from docfleet.workers.shared.infrastructure.process.slot_hints import watch_slots
from docfleet.workers.shared.infrastructure.process.stop_hints import watch_stops
from docfleet.workers.shared.infrastructure.process.vitals import Vitals, write_vitals

log = structlog.get_logger()

DESCRIPTORS = 256
"""Open files of a worker beside its slots: broker, Redis, logs, connectors."""
DESCRIPTORS_PER_SLOT = 32
"""Pipes and connections of a pool child that stay open in its parent, and what it opens itself."""


def run(worker_type: WorkerType, concurrency: int | None = None, queues: Sequence[str] | None = None) -> int:
    """Run a worker until it gets a signal to stop; the exit code. ``concurrency`` overrides the setting. ``queues`` are
    some of the type's; None is all of them.

    The node has a new name at each start: two workers with one name exclude each other.

    Raises ``ConfigurationError`` for a wrong setting.
    """
    spec = WORKERS[worker_type]
    consumed = spec.consumed(queues)
    settings = load_settings(worker_type)
    configure_logging(settings.log_level, settings.log_format)
    priority.lower(settings.worker_nice)
    if not check_servers(settings):
        signals.worker_ready.connect(_DeferredServerCheck(settings), weak=False)
    app = WorkerBuilder.build_celery_app(worker_type, settings)
    slots = concurrency or settings.concurrency(spec)
    node = f"{worker_type.value}-{uuid.uuid4().hex[:8]}@{socket.gethostname()}"
    descriptors.ensure(DESCRIPTORS + DESCRIPTORS_PER_SLOT * slots, "CELERY_CONCURRENCY")
    companion = _companion(app, spec, settings, node, slots)
    app.steps["worker"].add(HeartbeatKeeper)
    if spec.beat:
        watch_beat(app)
    install_signals()
    workflow_log.install()
    watch_shutdown()
    watch_files()
    watch_slots(takes_api=QueueName.API_FILE_PROCESSING in consumed)
    watch_stops()
    signals.setup_logging.connect(_keep_our_logging, weak=False)
    signals.worker_ready.connect(_ReadyFile(settings), weak=False)
    pool = settings.celery_pool_type or spec.pool
    # Not ``app.worker_main``: the ``celery`` command imports an interactive shell, 0.3 s and 15 MB for nothing.
    worker = app.Worker(
        hostname=node,
        queues=[queue.value for queue in consumed],
        pool=WatchingPool if pool == "prefork" else pool,
        concurrency=slots,
        beat=spec.beat,
        without_gossip=True,
        without_mingle=True,
        loglevel=settings.log_level,
    )
    for connector in spec.preload:
        connector_class(connector)
    GracefulShutdown(worker, settings.worker_grace_seconds).install()
    freeze_before_fork()
    companion.start()
    try:
        worker.start()
    finally:
        companion.stop()
    return int(worker.exitcode or 0)


def _companion(app: Celery, spec: WorkerSpec, settings: WorkerSettings, node: str, slots: int) -> Companion:
    """The process that announces the worker and, unless its port is 0, answers probes; the port is bound."""
    vitals = Vitals([task.value for task in spec.tasks], slots)
    write_vitals(app, vitals)
    health = None
    if port := settings.health_port(spec):
        limits = HealthLimits(
            settings.worker_health_stale_seconds, settings.worker_health_broker_seconds, settings.worker_grace_seconds
        )
        setting = f"{spec.type.value.upper()}_HEALTH_PORT"
        health = HealthServer(settings.worker_health_host, port, spec.type.value, vitals, limits, setting)
    presence = Presence(node, spec.type, spec.queues, slots, settings.worker_beat_seconds, vitals)
    companion = Companion(presence, health)
    watch_companion(app, companion)
    return companion


def _keep_our_logging(**_: Any) -> None:
    """Celery leaves logging alone when this signal has a receiver."""


class _DeferredServerCheck:
    """Checks a server that did not answer at the start, and ends the worker when its settings are refused."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings

    def __call__(self, **_: Any) -> None:
        try:
            check_servers(self._settings)
        except ConfigurationError as error:
            log.error("worker.refused", error=error.message)
            state.should_stop = ExitCode.WRONG_CONFIGURATION


class _ReadyFile:
    """Signals that the worker consumes: touches ``WORKER_READY_FILE``."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._path = Path(settings.worker_ready_file) if settings.worker_ready_file else None
        if self._path:
            self._path.unlink(missing_ok=True)

    def __call__(self, **_: Any) -> None:
        log.info("worker.ready")
        if self._path:
            self._path.touch()
