"""Sending work: Celery tasks by name. The only module of the backend that talks to the broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import structlog
from celery import Celery
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from kombu.pidbox import Mailbox
from kombu.pools import reset as reset_pools

from docfleet.backend.platform.db import clean
from docfleet.core.errors import BrokerUnavailable
from docfleet.core.names import QueueName, TaskName

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 4.0
"""How long one attempt may take. With the single retry, a dispatch fails after about 5 seconds."""

MAX_BROADCASTS = 4
"""The most concurrent broadcasts. More mean that the broker hangs, and a hint is not worth another thread."""
_MAILBOX = Mailbox("celery", type="fanout", accept=["json"], serializer="json")
"""The exchange on which Celery's workers listen for remote control."""

MAX_IDLE_CONNECTIONS = 8
MAX_IDLE_SECONDS = 20.0
"""An idle connection is used again up to this age: well below the heartbeats and time-outs that close it."""


@runtime_checkable
class Dispatcher(Protocol):
    """Sends a task. The tests' recording double implements it too."""

    def send(self, task: TaskName, args: list[Any], kwargs: dict[str, Any], queue: QueueName) -> None:
        """Hand one message to the broker. Raises ``BrokerUnavailable``."""

    def waiting(self, queue: QueueName) -> int:
        """How many messages lie in ``queue``, without those that workers hold. Raises ``BrokerUnavailable``."""

    def broadcast(self, command: str, arguments: dict[str, Any]) -> None:
        """Send a command to all workers, without waiting for the broker. It is a hint: a loss is only logged."""

    def close(self) -> None:
        """Close the connections."""


class CeleryDispatcher:
    """Sends through Celery: JSON only, no result is kept, every wait is bounded."""

    def __init__(self, broker_url: str) -> None:
        self._app = Celery("docfleet.backend", broker=broker_url, set_as_current=False)
        # CELERY_RESULT_BACKEND of the environment is for workers. One on a database would be loaded by the first
        # dispatch, and concurrent requests would see a half-loaded SQLAlchemy ORM.
        self._app.backend_cls = "disabled"
        self._app.conf.update(
            task_serializer="json",
            accept_content=["json"],
            task_ignore_result=True,
            task_publish_retry=False,
            broker_connection_timeout=TIMEOUT_SECONDS,
            broker_transport_options=_transport_options(broker_url),
        )
        self._lock = threading.Lock()
        self._broadcasts = threading.BoundedSemaphore(MAX_BROADCASTS)
        self._idle: list[tuple[Connection, float]] = []
        self._closed = False
        connection = self._app.connection_for_write()
        self._errors: tuple[type[Exception], ...] = (
            OperationalError,
            OSError,
            *connection.connection_errors,
            *connection.channel_errors,
        )

    def send(self, task: TaskName, args: list[Any], kwargs: dict[str, Any], queue: QueueName) -> None:
        """Hand one message to the broker. Raises ``BrokerUnavailable``."""

        def publish(connection: Connection) -> None:
            with self._app.amqp.Producer(connection, auto_declare=False) as producer:
                self._app.send_task(
                    task.value, args=args, kwargs=kwargs, queue=queue.value, producer=producer, ignore_result=True
                )

        self._call(publish)
        log.info("task.sent", task=task.value, queue=queue.value)

    def waiting(self, queue: QueueName) -> int:
        """How many messages lie in ``queue``, without those that workers hold. Raises ``BrokerUnavailable``."""

        def count(connection: Connection) -> int:
            channel = connection.channel()
            try:
                return int(channel.queue_declare(queue.value, passive=True).message_count)
            except connection.channel_errors:
                return 0  # no worker has declared it yet; on Redis, empty queues look the same
            finally:
                channel.close()

        return self._call(count)

    def broadcast(self, command: str, arguments: dict[str, Any]) -> None:
        """Send a command to all workers, without waiting for the broker. It is a hint: a loss is only logged."""
        if not self._broadcasts.acquire(blocking=False):
            log.warning("command.not_sent", command=command, error="the broker has not taken the ones before")
            return
        threading.Thread(target=self._broadcast, args=(command, arguments), name="broadcast", daemon=True).start()

    def _broadcast(self, command: str, arguments: dict[str, Any]) -> None:
        try:
            # Not an idle connection: those wait for confirmations, which would make a hint hang.
            with self._app.connection_for_write(transport_options={"confirm_publish": False}) as connection:
                connection.ensure_connection(max_retries=1, interval_start=0.2, timeout=TIMEOUT_SECONDS)
                _MAILBOX(connection).abcast(command, arguments)
            log.info("command.sent", command=command)
        except self._errors as error:
            log.warning("command.not_sent", command=command, error=clean(str(error), 200))
        finally:
            self._broadcasts.release()

    def _call[T](self, call: Callable[[Connection], T]) -> T:
        """Call with a connection to the broker, at most twice. Raises ``BrokerUnavailable``."""
        try:
            held = self._idle_connection()
            try:
                connection, answer = self._connected(held, call)
            except self._errors as error:
                if held is None:
                    raise
                _drop(held)
                if isinstance(error, TimeoutError):  # the broker hangs, and would hang a second time
                    raise
                # It was closed while it was idle. A message that arrives twice is harmless.
                connection, answer = self._connected(None, call)
            self._keep(connection)
        except self._errors as error:
            raise BrokerUnavailable(
                f"broker unavailable ({clean(str(error), 200)}); check that it runs and CELERY_BROKER_BASE_URL is right"
            ) from error
        return answer

    def _connected[T](self, held: Connection | None, call: Callable[[Connection], T]) -> tuple[Connection, T]:
        connection = held or self._app.connection_for_write()
        try:
            connection.ensure_connection(max_retries=1, interval_start=0.2, timeout=TIMEOUT_SECONDS)
            return connection, call(connection)
        except BaseException:
            if held is None:
                _drop(connection)
            raise

    def _idle_connection(self) -> Connection | None:
        # Used by one thread at a time: a sender takes a connection out and puts it back.
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection, since = self._idle.pop()
            if time.monotonic() - since < MAX_IDLE_SECONDS:
                return connection
            connection.release()

    def _keep(self, connection: Connection) -> None:
        with self._lock:
            if len(self._idle) < MAX_IDLE_CONNECTIONS and not self._closed:
                self._idle.append((connection, time.monotonic()))
                return
        connection.release()

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.release()
        self._app.close()
        reset_pools()


def _drop(connection: Connection) -> None:
    """Release a failed connection, on AMQP without its closing handshake: a RabbitMQ whose disk or memory is full reads
    nothing from publishers, and would not answer."""
    if connection.transport_cls in {"amqp", "amqps", "pyamqp"}:
        connection.collect()
    else:
        connection.release()


def _transport_options(broker_url: str) -> dict[str, Any]:
    if broker_url.startswith(("redis", "rediss")):
        return {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
    # Otherwise the wait for a missing confirmation never ends.
    waits = {"read_timeout": TIMEOUT_SECONDS, "write_timeout": TIMEOUT_SECONDS}
    return {"max_retries": 1, "interval_start": 0.0, "interval_max": 0.2, "confirm_publish": True, **waits}
