"""What lies in the queues of a broker: counted, copied, replaced, taken away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import kombu
import redis

from docfleet.core.names import QueueName
from tests.servers import Valkey


class Queues:
    """Of the broker at ``broker_url``. ``leg`` is the kind of broker; ``valkey`` is the broker on the ``redis`` leg."""

    leg: str
    valkey: Valkey

    @property
    def broker_url(self) -> str:
        raise NotImplementedError

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """A channel of the broker."""
        with kombu.Connection(self.broker_url) as connection:
            yield connection.default_channel

    def queued(self, queue: QueueName) -> int:
        """Messages in a queue that nobody has taken."""
        if self.leg == "redis":
            return int(self.command("LLEN", queue.value))
        with self.channel() as channel:
            return int(_queue(queue)(channel).queue_declare(passive=True).message_count)

    def duplicate(self, queue: QueueName, copies: int = 1) -> None:
        """The first message of a queue is there ``copies`` times more, with the same id, header and body."""
        with self.channel() as channel:
            message = _queue(queue)(channel).get()
            assert message is not None, f"queue {queue.value} is empty"
            for _ in range(copies):
                self.publish(channel, queue, message.body, message)
            message.requeue()

    def replace(self, queue: QueueName, body: bytes) -> None:
        """The first message of a queue has another body from now on."""
        with self.channel() as channel:
            message = _queue(queue)(channel).get()
            assert message is not None, f"queue {queue.value} is empty"
            self.publish(channel, queue, body, message)
            message.ack()

    def clear(self, *queues: QueueName) -> None:
        """No message is in these any more: what a killed worker held comes back, and a test that counts begins at 0."""
        with self.channel() as channel:
            for queue in queues:
                channel.queue_purge(queue.value)

    def command(self, *words: str) -> Any:
        """One command to the Redis of the broker."""
        with redis.Redis(port=self.valkey.port) as client:
            return client.execute_command(*words)

    @staticmethod
    def publish(channel: Any, queue: QueueName, body: Any, like: Any = None, **changed: Any) -> None:
        """A raw message; ``like`` is one whose header and properties it gets."""
        options: dict[str, Any] = {"content_type": "application/json", "content_encoding": "utf-8"}
        if like is not None:
            known = {key: like.properties[key] for key in ("correlation_id", "reply_to") if key in like.properties}
            options |= {"content_type": like.content_type, "content_encoding": like.content_encoding}
            options |= {"headers": like.headers, **known}
        kombu.Producer(channel).publish(body, routing_key=queue.value, exchange=queue.value, **{**options, **changed})


def _queue(queue: QueueName) -> kombu.Queue:
    return kombu.Queue(queue.value, kombu.Exchange(queue.value), routing_key=queue.value)
