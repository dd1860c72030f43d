"""How many messages lie in a queue, asked of real brokers."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kombu import Connection

from docfleet.backend.platform.dispatch import CeleryDispatcher
from docfleet.cli.embedded.valkey import answers, valkey_command
from docfleet.core.errors import BrokerUnavailable
from docfleet.core.names import QueueName, TaskName

QUEUE = QueueName.NOTIFICATIONS_PRIORITY
"""Nobody consumes it here."""


def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(params=["redis", "rabbitmq"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "rabbitmq":
        yield request.getfixturevalue("rabbitmq_url")
        return
    path = tmp_path / "valkey.sock"
    (tmp_path / "valkey").mkdir()
    server = subprocess.Popen(valkey_command(path, tmp_path / "valkey"), stdout=subprocess.DEVNULL)
    try:
        until(lambda: answers(path))
        yield f"redis+socket://{path}?virtual_host=0"
    finally:
        server.kill()
        server.wait()


def test_what_lies_in_a_queue_is_counted(url: str) -> None:
    dispatcher = CeleryDispatcher(url)
    assert dispatcher.waiting(QUEUE) == 0, "a queue nobody has declared is empty"
    with Connection(url) as connection, connection.SimpleQueue(QUEUE.value) as taken:
        for number in range(3):
            dispatcher.send(TaskName.SWEEP, [number], {}, QUEUE)
        until(lambda: dispatcher.waiting(QUEUE) == 3)
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
