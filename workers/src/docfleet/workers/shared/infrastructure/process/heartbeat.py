"""Heartbeats to an AMQP broker while a worker ends.

A warm shutdown waits for the tasks in work, and Celery before 5.6.1 sends no heartbeats meanwhile: the broker
considers the worker dead after two missed ones and gives its tasks to another.
"""

from __future__ import annotations

import threading
from typing import Any, ClassVar

import structlog
from celery import VERSION, bootsteps

log = structlog.get_logger()

FIXED_IN_CELERY = (5, 6, 1)


def is_needed(version: tuple[int, ...] = tuple(VERSION[:3])) -> bool:
    """True for a Celery that sends no heartbeats during a warm shutdown."""
    return version < FIXED_IN_CELERY


class HeartbeatKeeper(bootsteps.StartStopStep):  # type: ignore[misc]
    """A step between consumer and pool: stopped after the consumer, it waits for the pool and keeps the connection."""

    requires: ClassVar[tuple[str, ...]] = ("celery.worker.components:Pool",)
    label = "HeartbeatKeeper"

    def include_if(self, worker: Any) -> bool:
        """Only where the transport has heartbeats and Celery does not send them."""
        transport = worker._conninfo.transport
        return is_needed() and bool(getattr(transport.implements, "heartbeats", False)) and worker.use_eventloop

    def create(self, worker: Any) -> Any:
        """Return the step itself: Celery stops only steps that were started."""
        return self

    def start(self, worker: Any) -> None:
        """Nothing to do while the event loop sends them."""

    def stop(self, worker: Any) -> None:
        """Wait for the active tasks, and send heartbeats meanwhile."""
        connection = getattr(worker.consumer, "connection", None)
        interval = connection.get_heartbeat_interval() if connection is not None else 0
        if not interval:
            return
        done = threading.Event()
        keeper = threading.Thread(target=_beat, args=(connection, interval / 2, done), name="heartbeat", daemon=True)
        keeper.start()
        try:
            worker.pool.stop()
        finally:
            done.set()
            keeper.join(1.0)


def _beat(connection: Any, seconds: float, done: threading.Event) -> None:
    log.info("heartbeat.kept", seconds=seconds)
    while not done.wait(seconds):
        try:
            # Not ``heartbeat_check``: that also expects frames from the broker, which are not read any more.
            connection.connection.send_heartbeat()
        except (OSError, AttributeError) as error:
            log.warning("heartbeat.failed", error=str(error) or type(error).__name__)
            return
