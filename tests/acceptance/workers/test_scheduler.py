"""The scheduler worker: beat inside it ticks, a tick asks the backend to sweep, and neither lives without the other."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.acceptance.fleet import DOCFLEET, children, plain_environment
from tests.servers import free_port
from tests.waiting import until

PATHS = ("sweep", "schedules/tick", "notifications/dispatch")


class Requested(BaseHTTPRequestHandler):
    """A backend that notes who asks for what."""

    paths: list[tuple[str, str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.paths.append((self.path, self.headers["Authorization"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def requested() -> Iterator[HTTPServer]:
    Requested.paths = []
    server = HTTPServer(("127.0.0.1", free_port()), Requested)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def scheduler(each_broker: str, requested: HTTPServer, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **plain_environment(),
        "CELERY_BROKER_BASE_URL": each_broker,
        "CELERY_RESULT_BACKEND": f"db+sqlite:///{tmp_path / 'results.db'}",
        "REDIS_URL": "redis://127.0.0.1:1",
        "INTERNAL_API_BASE_URL": f"http://127.0.0.1:{requested.server_port}/internal",
        "INTERNAL_SERVICE_API_KEY": "k" * 40,
        "UNSTRACT_RUNNER_URL": "http://127.0.0.1:1",
        "RUNNER_API_KEY": "r" * 40,
        "EXECUTION_STORAGE_ROOT": str(tmp_path),
        "WORKER_HEALTH_PORT": "0",
        "SWEEP_INTERVAL_SECONDS": "1",
        "TICK_INTERVAL_SECONDS": "1",
    }
    with (tmp_path / "scheduler.log").open("wb") as log:
        worker = subprocess.Popen(
            [*DOCFLEET, "worker", "scheduler"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    yield worker
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def beat_of(worker: subprocess.Popen[bytes], tmp_path: Path) -> int:
    """Its process, once it ticks."""
    log = tmp_path / "scheduler.log"
    ticks = {f"/internal/v1/{path}/" for path in PATHS}
    until(lambda: sum(path in ticks for path, _ in Requested.paths) >= 2, what=log.read_text())
    found = re.search(r"beat.started +pid=([0-9]+)", log.read_text())
    assert found and int(found[1]) in children(worker.pid)
    return int(found[1])


def test_it_ticks_and_ends_on_sigterm(scheduler: subprocess.Popen[bytes], tmp_path: Path) -> None:
    beat_of(scheduler, tmp_path)
    expected = {(f"/internal/v1/{path}/", "Bearer " + "k" * 40) for path in (*PATHS, "workers/beat")}
    until(lambda: set(Requested.paths) >= expected, what=f"it asks for {set(Requested.paths)}")
    assert set(Requested.paths) == expected
    everyone = [scheduler.pid, *children(scheduler.pid)]
    assert len(everyone) == 5, "parent, two children, beat and companion"
    scheduler.send_signal(signal.SIGTERM)
    assert scheduler.wait(60) == 0
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in everyone[1:]), what="a child was left behind")
    assert not list(tmp_path.glob("celerybeat*"))


def test_a_worker_whose_beat_dies_ends_so_that_both_are_started_anew(
    scheduler: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    os.kill(beat_of(scheduler, tmp_path), signal.SIGKILL)
    assert scheduler.wait(60) == 70, (tmp_path / "scheduler.log").read_text()
    assert "beat.died" in (tmp_path / "scheduler.log").read_text()


def test_beat_does_not_outlive_a_killed_worker(scheduler: subprocess.Popen[bytes], tmp_path: Path) -> None:
    beat_of(scheduler, tmp_path)
    pool = children(scheduler.pid)
    scheduler.kill()
    scheduler.wait()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pool), what="beat lives on")
