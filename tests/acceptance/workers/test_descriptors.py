"""A worker and its pool children may open as many files as the system allows."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from pathlib import Path

from tests.acceptance.fleet import DOCFLEET, children, plain_environment
from tests.waiting import until


def soft_limit(pid: int) -> int:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Max open files")).split()[3])


def test_a_worker_raises_its_limit_and_reports_too_few(redis_broker: str, tmp_path: Path) -> None:
    ready, log = tmp_path / "ready", tmp_path / "log"
    environment = {
        **plain_environment(),
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "CELERY_BROKER_BASE_URL": redis_broker,
        "CELERY_RESULT_BACKEND": f"db+sqlite:///{tmp_path / 'results.db'}",
        "REDIS_URL": "redis://127.0.0.1:1",
        "INTERNAL_API_BASE_URL": "http://127.0.0.1:1/internal",
        "INTERNAL_SERVICE_API_KEY": "k" * 40,
        "UNSTRACT_RUNNER_URL": "http://127.0.0.1:1",
        "RUNNER_API_KEY": "r" * 40,
        "EXECUTION_STORAGE_ROOT": str(tmp_path),
        "CELERY_CONCURRENCY": "1",
        "WORKER_HEALTH_PORT": "0",
        "WORKER_READY_FILE": str(ready),
    }

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 287))

    with log.open("wb") as stream:
        worker = subprocess.Popen(
            [*DOCFLEET, "worker", "callback"], env=environment, stderr=stream, preexec_fn=limit, start_new_session=True
        )
    try:
        until(ready.exists, what=f"the worker is not ready:\n{log.read_text()}")
        assert [soft_limit(pid) for pid in (worker.pid, *children(worker.pid))][:2] == [287, 287]
        assert "descriptors.few" in log.read_text() and "CELERY_CONCURRENCY" in log.read_text()
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
