"""A notification worker's process state, a Valkey and a target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from docfleet.core.names import WorkerType
from docfleet.workers.notification import sending
from docfleet.workers.shared.infrastructure.config.settings import worker_settings
from docfleet.workers.shared.infrastructure.process import process_settings
from tests.worker_environment import ENVIRONMENT


@pytest.fixture
def worker(redis_socket: Path, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    environment = {
        **ENVIRONMENT,
        "CELERY_BROKER_BASE_URL": f"redis+socket://{redis_socket}",
        "CELERY_RESULT_BACKEND": f"redis+socket://{redis_socket}",
        "REDIS_URL": f"unix://{redis_socket}",
        "NOTIFICATION_ALLOWED_NETWORKS": "127.0.0.0/8",
        "NOTIFICATION_TIMEOUT_SECONDS": "2",
    }
    monkeypatch.setattr(process_settings, "_settings", worker_settings(WorkerType.NOTIFICATION, environment))
    sending.breaker.reset()
    yield
    sending.breaker.reset()
