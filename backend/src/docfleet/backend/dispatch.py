"""Sending work: Celery tasks by name. The only place of the backend that speaks to the broker."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from kombu.pools import reset as reset_pools

from docfleet.backend.db import clean
from docfleet.core.errors import BrokerUnavailable
from docfleet.core.names import QueueName, TaskName

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 4.0
"""How long one attempt may take; with the single retry a dispatch is refused after about 5 seconds."""


@runtime_checkable
class Dispatcher(Protocol):
    """Sends a task. The tests' recording double implements it too."""

    def send(self, task: TaskName, args: list[Any], kwargs: dict[str, Any], queue: QueueName) -> None:
        """Hand one message to the broker. Raises ``BrokerUnavailable``."""

    def close(self) -> None:
        """Give back connections."""


class CeleryDispatcher:
    """Sends through Celery: JSON only, no result is kept, every wait is bounded."""

    def __init__(self, broker_url: str) -> None:
        self._app = Celery("docfleet.backend", broker=broker_url, set_as_current=False)
        self._app.conf.update(
            task_serializer="json",
            accept_content=["json"],
            task_ignore_result=True,
            task_publish_retry=False,
            broker_connection_timeout=TIMEOUT_SECONDS,
            broker_transport_options=_transport_options(broker_url),
        )
        connection = self._app.connection_for_write()
        self._errors: tuple[type[Exception], ...] = (
            OperationalError,
            OSError,
            *connection.connection_errors,
            *connection.channel_errors,
        )

    def send(self, task: TaskName, args: list[Any], kwargs: dict[str, Any], queue: QueueName) -> None:
        """Hand one message to the broker. Raises ``BrokerUnavailable``."""
        try:
            # A connection a dispatch: they are rare, and threads must not share one.
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0.2, timeout=TIMEOUT_SECONDS)
                with self._app.amqp.Producer(connection, auto_declare=False) as producer:
                    self._app.send_task(
                        task.value, args=args, kwargs=kwargs, queue=queue.value, producer=producer, ignore_result=True
                    )
        except self._errors as error:
            raise BrokerUnavailable(
                f"broker unavailable ({clean(str(error), 200)}); check that it runs and CELERY_BROKER_BASE_URL is right"
            ) from error
        log.info("task.sent", task=task.value, queue=queue.value)

    def close(self) -> None:
        """Give back connections."""
        self._app.close()
        reset_pools()


def _transport_options(broker_url: str) -> dict[str, Any]:
    if broker_url.startswith(("redis", "rediss")):
        return {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
    return {"max_retries": 1, "interval_start": 0.0, "interval_max": 0.2, "confirm_publish": True}
