"""The dispatcher: messages on real brokers, connections that break, and how many messages wait in a queue."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time

import pytest
from kombu import Connection

from docfleet.backend.platform import dispatch
from docfleet.backend.platform.dispatch import CeleryDispatcher
from docfleet.core.errors import BrokerUnavailable
from docfleet.core.names import QueueName, TaskName
from tests.waiting import until


def test_a_message_reaches_the_broker(redis_broker: str) -> None:
    import redis

    dispatcher = CeleryDispatcher(redis_broker)
    dispatcher.send(TaskName.PROCESS_FILE_BATCH, [{"a": "ü"}], {}, QueueName.FILE_PROCESSING)
    dispatcher.close()
    with redis.Redis(unix_socket_path=redis_broker.removeprefix("redis+socket://").partition("?")[0]) as client:
        message = json.loads(client.lindex("file_processing", -1))
    assert message["headers"]["task"] == "process_file_batch" and message["content-type"] == "application/json"


LOADED = """
import sys
from docfleet.backend.platform.dispatch import CeleryDispatcher
from docfleet.core.names import QueueName, TaskName
CeleryDispatcher(sys.argv[1]).send(TaskName.SWEEP, [], {}, QueueName.NOTIFICATIONS_SMS)
print([name for name in sys.modules if name.startswith(("sqlalchemy.orm", "celery.backends.database"))])
"""


def test_the_workers_result_backend_is_not_loaded_by_a_dispatch(redis_broker: str) -> None:
    """It would be loaded in the middle of a request, while others beside it use SQLAlchemy."""
    environment = {**os.environ, "CELERY_RESULT_BACKEND": "db+postgresql://127.0.0.1:1/results"}
    command = [sys.executable, "-c", LOADED, redis_broker]
    loaded = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert loaded.splitlines()[-1] == "[]"


def test_connections_are_used_again_and_replaced_when_they_broke(redis_broker: str) -> None:
    import redis

    dispatcher = CeleryDispatcher(redis_broker)
    with redis.Redis(unix_socket_path=redis_broker.removeprefix("redis+socket://").partition("?")[0]) as client:
        for number in range(3):
            dispatcher.send(TaskName.SWEEP, [number], {}, QueueName.SCHEDULER)
        clients = [one for one in client.client_list() if one["cmd"] == "lpush"]
        assert len(clients) == 1
        client.client_kill_filter(_type="normal", skipme=True)
        dispatcher.send(TaskName.SWEEP, [3], {}, QueueName.SCHEDULER)
        assert client.llen("scheduler") == 4
    dispatcher.close()


def test_messages_reach_rabbitmq(rabbitmq_url: str) -> None:
    from kombu import Connection

    queue = QueueName.NOTIFICATIONS_SMS
    with Connection(rabbitmq_url) as connection, connection.SimpleQueue(queue.value) as taken:
        dispatcher = CeleryDispatcher(rabbitmq_url)
        for number in range(3):
            dispatcher.send(TaskName.SWEEP, [number], {}, queue)
            message = taken.get(timeout=10)
            message.ack()
            assert message.payload[0] == [number]
        dispatcher.close()


def test_a_broker_that_hangs_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "TIMEOUT_SECONDS", 0.5)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(5)
        began = time.monotonic()
        for scheme in ("redis://127.0.0.1:{}/0", "amqp://guest:s3cret@127.0.0.1:{}//"):
            with pytest.raises(BrokerUnavailable) as caught:
                CeleryDispatcher(scheme.format(deaf.getsockname()[1])).send(
                    TaskName.ASYNC_EXECUTE_BIN, [], {}, QueueName.GENERAL
                )
            assert "s3cret" not in caught.value.message
        assert time.monotonic() - began < 30


QUEUE = QueueName.NOTIFICATIONS_PRIORITY
"""Nobody consumes it here."""


def test_what_lies_in_a_queue_is_counted(each_broker: str) -> None:
    dispatcher = CeleryDispatcher(each_broker)
    assert dispatcher.waiting(QUEUE) == 0, "a queue nobody has declared is empty"
    with Connection(each_broker) as connection, connection.SimpleQueue(QUEUE.value) as taken:
        for number in range(3):
            dispatcher.send(TaskName.SWEEP, [number], {}, QUEUE)
        until(lambda: dispatcher.waiting(QUEUE) == 3, 15)
        for number in range(3):
            message = taken.get(timeout=10)
            assert message.payload[0] == [number]
            message.ack()
        assert dispatcher.waiting(QUEUE) == 0
    dispatcher.close()


def test_a_broker_that_is_away_says_so() -> None:
    dispatcher = CeleryDispatcher("redis://127.0.0.1:1/0")
    with pytest.raises(BrokerUnavailable):
        dispatcher.waiting(QUEUE)
    dispatcher.close()
