"""The sender of buffered events: one thread per process, started with the first event.

While the broker is slow or unavailable, events wait in the buffer, up to its limit. Tasks never wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from celery import Celery
from kombu.connection import Connection
from kombu.messaging import Producer

from docfleet.core.ids import new_id
from docfleet.core.log_events import LogEvent, LogLevel, LogStage, new_event_id
from docfleet.core.names import QueueName, TaskName
from docfleet.workers.shared.infrastructure.logging.buffer import LogBuffer

log = structlog.get_logger()

BATCH_EVENTS = 50
BATCH_SECONDS = 0.25
"""A message is sent when there are this many events, or when the oldest has waited this long."""
FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 0.5, 10.0
_CONNECT_SECONDS = 3.0
SEND_SECONDS = 10.0
MAX_IDLE_SECONDS = 20.0
"""After this time without heartbeats the broker may have closed the connection, so a new one is made."""

type Send = Callable[[list[LogEvent]], None]
"""Sends one message, or raises."""


class LogPublisher:
    """Takes events from ``put`` and sends them with ``send`` from a thread of its own."""

    def __init__(self, send: Send, buffer: LogBuffer | None = None) -> None:
        self._send = send
        self._buffer = LogBuffer() if buffer is None else buffer
        self._some = threading.Event()
        self._wake = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._last: LogEvent | None = None

    def put(self, event: LogEvent) -> None:
        """Hand over an event; returns at once, and never raises when it cannot be sent."""
        waiting = self._buffer.put(event)
        self._idle.clear()
        self._some.set()
        if self._thread is None:
            self._start()
        if waiting >= BATCH_EVENTS:
            self._wake.set()

    def flush(self) -> None:
        """Send the buffered events now, without waiting for the result."""
        if len(self._buffer):
            self._wake.set()

    def close(self, seconds: float) -> bool:
        """Send the buffered events within ``seconds``. True when all were sent."""
        self._wake.set()
        done = self._idle.wait(seconds) if self._thread is not None else True
        self._closed = True
        self._some.set()
        self._wake.set()
        return done

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="workflow-log", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        wait = FIRST_WAIT_SECONDS
        while not self._closed:
            self._some.wait()
            self._wake.wait(BATCH_SECONDS)
            self._wake.clear()
            # Before the buffer is read: an event that is put from now on sets it again.
            self._some.clear()
            wait = self._empty(wait)
            self._idle.set()
            if len(self._buffer):
                self._idle.clear()
                self._some.set()

    def _empty(self, wait: float) -> float:
        """Send all buffered events. Returns the wait after the next failure."""
        while events := self._buffer.take(BATCH_EVENTS):
            self._last = events[-1]
            try:
                self._send(events)
            except Exception as error:  # noqa: BLE001 - the boundary of the thread: the broker's client may raise anything
                self._buffer.put_back(events)
                log.warning("workflow_log.not_sent", waiting=len(self._buffer), error=str(error)[:200])
                time.sleep(wait)
                return min(2 * wait, MAX_WAIT_SECONDS)
            wait = FIRST_WAIT_SECONDS
            self._report_dropped()
        return wait

    def _report_dropped(self) -> None:
        dropped = self._buffer.take_dropped()
        if not dropped or self._last is None:
            return
        log.warning("workflow_log.dropped", events=dropped)
        text = f"{dropped} lines of this worker are missing here: they could not be sent in time"
        self._buffer.put(
            msgspec.structs.replace(
                self._last,
                event_id=new_event_id(),
                timestamp=time.time(),
                level=LogLevel.WARN,
                stage=LogStage.RUN.value,
                log=text,
                file_execution_id=None,
            )
        )


class BrokerSender:
    """Sends events to the log consumer over a connection of its own, which tasks do not share. Raises what the
    broker's client raises. Every wait is bounded."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._queue = app.amqp.queues[QueueName.LOGS.value]
        self._connection: Connection | None = None
        self._producer: Producer | None = None
        self._used = 0.0

    def __call__(self, events: list[LogEvent]) -> None:
        """One message."""
        if time.monotonic() - self._used > MAX_IDLE_SECONDS:
            self._drop()
        try:
            producer = self._producer or self._connect()
            kwargs: dict[str, Any] = {"events": [event.to_dict() for event in events]}
            message = self._app.amqp.create_task_message(
                new_id(),
                TaskName.LOGS_CONSUMER.value,
                args=(),
                kwargs=kwargs,
                ignore_result=True,
                argsrepr="()",
                kwargsrepr="{}",
            )
            producer.publish(
                message.body,
                serializer="json",
                headers=message.headers,
                exchange=self._queue.exchange,
                routing_key=self._queue.routing_key,
                declare=[self._queue],
                retry=False,
                **message.properties,
            )
        except BaseException:
            self._drop()
            raise
        self._used = time.monotonic()

    def _connect(self) -> Producer:
        self._connection = self._app.connection_for_write()
        self._connection.transport_options = {**(self._connection.transport_options or {}), **_waits(self._connection)}
        self._connection.ensure_connection(max_retries=1, interval_start=0.1, timeout=_CONNECT_SECONDS)
        self._producer = Producer(self._connection.channel(), auto_declare=False)
        return self._producer

    def _drop(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            # Without a protocol-level close: a broker that hangs would not answer.
            connection.collect()


def _waits(connection: Connection) -> dict[str, float]:
    """Options of the transport that bound every wait for a broker that hangs."""
    if connection.transport_cls in {"amqp", "amqps", "pyamqp"}:
        return {"read_timeout": SEND_SECONDS, "write_timeout": SEND_SECONDS}
    return {"socket_timeout": SEND_SECONDS, "socket_connect_timeout": _CONNECT_SECONDS}
