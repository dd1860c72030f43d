"""How a worker publishes: again, on a new channel, where the broker was away."""

from __future__ import annotations

from typing import Any

from celery.app.amqp import AMQP
from kombu.messaging import Producer
from kombu.pools import ProducerPool


class RevivedProducer(Producer):
    """A producer that leaves the retry of a declaration to the publish around it.

    kombu retries both. A declaration that reconnects by itself leaves the producer with the closed channel, and the
    publish then fails with ``AttributeError``, which no retry policy knows.
    """

    def maybe_declare(self, entity: Any, retry: bool = False, **retry_policy: Any) -> Any:
        """Declare ``entity`` once a connection; a lost connection is an error here."""
        return super().maybe_declare(entity)  # type: ignore[no-untyped-call]


class Publishing(AMQP):  # type: ignore[misc]
    """The ``amqp`` part of a Celery app, with ``RevivedProducer`` in its pool."""

    @property
    def producer_pool(self) -> ProducerPool:
        """The pool of this process; a forked child has its own."""
        pool: ProducerPool = super().producer_pool
        pool.Producer = RevivedProducer
        return pool
