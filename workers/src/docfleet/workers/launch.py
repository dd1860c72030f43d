"""``docfleet worker TYPE``: from a type to a running Celery worker."""

# ruff: noqa: E402 - gRPC reads these when it is imported, by whatever connector comes first
from __future__ import annotations

from docfleet.core.settings import set_default

set_default("GRPC_ENABLE_FORK_SUPPORT", "1")
set_default("GRPC_POLL_STRATEGY", "poll")

import socket
import uuid
from pathlib import Path
from typing import Any

import structlog
from celery import signals

from docfleet.connectors.registry import connector_class
from docfleet.core.errors import ConfigurationError
from docfleet.core.names import WorkerType
from docfleet.workers.shared.infrastructure.config.builder import WorkerBuilder
from docfleet.workers.shared.infrastructure.config.registry import WORKERS
from docfleet.workers.shared.infrastructure.config.settings import WorkerSettings
from docfleet.workers.shared.infrastructure.logging.setup import configure_logging
from docfleet.workers.shared.infrastructure.process.fork import freeze_before_fork, install_signals
from docfleet.workers.shared.infrastructure.process.runtime import load_settings
from docfleet.workers.shared.infrastructure.process.shutdown import watch_shutdown

log = structlog.get_logger()


def run(worker_type: WorkerType, concurrency: int | None = None) -> int:
    """Run a worker until it is told to stop; the exit code. ``concurrency`` overrides the setting.

    The node has a name of its own each start: two workers with one name exclude each other.

    Raises ``ConfigurationError`` for a type that is not implemented yet or a wrong setting.
    """
    spec = WORKERS[worker_type]
    if not spec.implemented:
        raise ConfigurationError(f"worker {worker_type.value} is not part of this version yet")
    settings = load_settings(worker_type)
    configure_logging(settings.log_level, settings.log_format)
    app = WorkerBuilder.build_celery_app(worker_type, settings)
    install_signals()
    watch_shutdown()
    signals.setup_logging.connect(_keep_our_logging, weak=False)
    signals.worker_ready.connect(_ReadyFile(settings), weak=False)
    # Not ``app.worker_main``: the ``celery`` command imports an interactive shell, 0.3 s and 15 MB for nothing.
    worker = app.Worker(
        hostname=f"{worker_type.value}-{uuid.uuid4().hex[:8]}@{socket.gethostname()}",
        queues=[queue.value for queue in spec.queues],
        pool=settings.celery_pool_type or spec.pool,
        concurrency=concurrency or settings.concurrency(spec),
        without_gossip=True,
        without_mingle=True,
        loglevel=settings.log_level,
    )
    for connector in spec.preload:
        connector_class(connector)
    freeze_before_fork()
    worker.start()
    return int(worker.exitcode or 0)


def _keep_our_logging(**_: Any) -> None:
    """Celery leaves logging alone when somebody listens to this signal."""


class _ReadyFile:
    """Tells whoever started the worker that it consumes."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._path = Path(settings.worker_ready_file) if settings.worker_ready_file else None
        if self._path:
            self._path.unlink(missing_ok=True)

    def __call__(self, **_: Any) -> None:
        log.info("worker.ready")
        if self._path:
            self._path.touch()
