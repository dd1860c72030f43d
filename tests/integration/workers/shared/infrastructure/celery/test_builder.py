"""What a worker sends while its broker restarts."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest
import redis

from docfleet.cli.embedded.valkey import answers, valkey_command
from docfleet.core.names import QueueName, TaskName, WorkerType
from docfleet.workers.shared.infrastructure.celery.builder import WorkerBuilder
from docfleet.workers.shared.infrastructure.config.settings import worker_settings
from tests.waiting import until
from tests.worker_environment import ENVIRONMENT

AWAY_SECONDS = 2.0
"""Celery's own patience ends after 0.6 s."""


class Broker:
    """A Valkey server that keeps what it was told."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "valkey.sock"
        self._command = valkey_command(self.path, folder)
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        until(lambda: answers(self.path), 15)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def queued(self, queue: QueueName) -> int:
        with redis.Redis(unix_socket_path=str(self.path)) as client:
            return int(client.llen(queue.value))


@pytest.mark.parametrize("used_before", [True, False])
def test_a_broker_that_restarts_is_waited_for(tmp_path: Path, used_before: bool) -> None:
    broker = Broker(tmp_path)
    url = f"redis+socket://{broker.path}"
    environment = {
        **ENVIRONMENT,
        "CELERY_BROKER_BASE_URL": f"{url}?virtual_host=0",
        "CELERY_RESULT_BACKEND": f"{url}?virtual_host=1",
        "REDIS_URL": f"{url}?virtual_host=2",
    }
    kind = WorkerType.GENERAL
    app = WorkerBuilder.build_celery_app(kind, worker_settings(kind, environment))
    queue = QueueName.FILE_PROCESSING

    def send(queue: QueueName) -> None:
        app.send_task(TaskName.PROCESS_FILE_BATCH.value, args=[{}], queue=queue.value, ignore_result=True)

    back = threading.Timer(AWAY_SECONDS, broker.start)
    try:
        if used_before:
            # Into another queue: a killed broker may forget what it had not written yet.
            send(QueueName.GENERAL)
        broker.kill()
        back.start()
        send(queue)
        assert broker.queued(queue) == 1
    finally:
        back.join()
        app.close()
        broker.kill()
