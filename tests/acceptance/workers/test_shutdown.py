"""A worker that is told to end, on real brokers: it finishes within its grace or hands back, and says so to probes."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import VERSION, Celery

from docfleet.cli.embedded.supervisor import Lifeline
from docfleet.cli.embedded.valkey import answers, valkey_command
from docfleet.workers.shared.infrastructure.process.heartbeat import is_needed
from tests.acceptance.fleet import PLUGINS, children, plain_environment
from tests.servers import Rabbitmq, free_port, require
from tests.waiting import until

QUEUE = "file_processing_callback"
BROKERS = ("redis", "rabbitmq")


class Workers:
    """Starts workers on one broker and ends them."""

    def __init__(self, broker: str, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.notes = folder / "notes"
        self._started: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **plain_environment(),
            # A changed copy of the tree comes first.
            "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(PLUGINS)))),
            "CELERY_BROKER_BASE_URL": broker,
            "CELERY_RESULT_BACKEND": f"db+sqlite:///{folder / 'results.db'}",
            "REDIS_URL": "redis://127.0.0.1:1",
            "INTERNAL_API_BASE_URL": "http://127.0.0.1:1/internal",
            "INTERNAL_SERVICE_API_KEY": "k" * 40,
            "UNSTRACT_RUNNER_URL": "http://127.0.0.1:1",
            "RUNNER_API_KEY": "r" * 40,
            "EXECUTION_STORAGE_ROOT": str(folder),
            "CELERY_CONCURRENCY": "1",
            "WORKER_HEALTH_PORT": "0",
        }

    def start(self, wait: bool = True, **settings: str) -> subprocess.Popen[bytes]:
        ready = self.folder / f"ready-{len(self._started)}"
        with (self.folder / f"worker-{len(self._started)}.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, str(PLUGINS / "sleeper.py"), str(self.notes)],
                env={**self.environment, "WORKER_READY_FILE": str(ready), **settings},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._started.append(worker)
        if wait:
            until(ready.exists, what=f"the worker is not ready:\n{self.log()}")
        return worker

    def send(self, seconds: float) -> None:
        with Celery(broker=self.broker) as app:
            app.send_task("sleeper", args=[seconds], queue=QUEUE)

    def noted(self, what: str) -> int:
        return sum(line.startswith(what) for line in self.lines())

    def lines(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []

    def log(self, number: int = -1) -> str:
        number %= len(self._started)
        return (self.folder / f"worker-{number}.log").read_text(errors="replace")

    def stop(self) -> None:
        for worker in self._started:
            try:
                os.killpg(worker.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            worker.wait()


@pytest.fixture
def workers(each_broker: str, tmp_path: Path) -> Iterator[Workers]:
    started = Workers(each_broker, tmp_path)
    _purge(each_broker)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def rabbitmq_workers(rabbitmq_url: str, tmp_path: Path) -> Iterator[Workers]:
    started = Workers(rabbitmq_url, tmp_path)
    _purge(rabbitmq_url)
    try:
        yield started
    finally:
        started.stop()


def _purge(url: str) -> None:
    with Celery(broker=url).connection_for_write() as connection:
        channel = connection.default_channel
        channel.queue_declare(QUEUE, durable=True, auto_delete=False)
        channel.queue_purge(QUEUE)


@pytest.mark.parametrize("whole_group", [False, True], ids=["main", "group"])
def test_a_task_in_work_is_finished_within_the_grace_period(workers: Workers, whole_group: bool) -> None:
    worker = workers.start()
    workers.send(3)
    until(lambda: workers.noted("start"))
    (os.killpg if whole_group else os.kill)(worker.pid, signal.SIGTERM)
    assert worker.wait(60) == 0, workers.log()
    assert [line.split()[0] for line in workers.lines()] == ["start", "end"]
    workers.start()
    time.sleep(1)
    assert workers.noted("start") == 1, "the finished task was run again"


def test_a_task_that_outlives_the_grace_period_begins_at_once_elsewhere(workers: Workers) -> None:
    first = workers.start(WORKER_GRACE_SECONDS="3")
    workers.send(60)
    until(lambda: workers.noted("start"))
    child = int(workers.lines()[0].split()[1])
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 0, workers.log()
    assert workers.noted("end") == 0, "the grace period was exceeded"
    until(lambda: not _runs(child), 20, what="a child was left behind")
    workers.start()
    until(lambda: workers.noted("start") == 2, what=f"the task was not handed back:\n{workers.log(0)}")


def test_an_idle_worker_ends_at_once(workers: Workers) -> None:
    worker = workers.start(WORKER_GRACE_SECONDS="40")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0


def test_sigquit_hands_back_without_waiting_for_the_grace_period(workers: Workers) -> None:
    worker = workers.start(WORKER_GRACE_SECONDS="60")  # 50 s are left to end by oneself, 6 s until it is left
    workers.send(90)
    until(lambda: workers.noted("start"))
    worker.send_signal(signal.SIGQUIT)
    assert worker.wait(30) == 0, workers.log()
    workers.start()
    until(lambda: workers.noted("start") == 2, what="the task was not handed back")


@pytest.mark.slow
def test_a_long_warm_shutdown_keeps_the_heartbeat(rabbitmq_workers: Workers) -> None:
    workers = rabbitmq_workers
    worker = workers.start(CELERY_BROKER_HEARTBEAT="4", WORKER_GRACE_SECONDS="60")
    workers.send(20)
    until(lambda: workers.noted("start"))
    worker.send_signal(signal.SIGTERM)
    time.sleep(1)
    workers.start()  # takes the message when RabbitMQ gives the first up
    assert worker.wait(60) == 0, workers.log(0)
    assert [line.split()[0] for line in workers.lines()] == ["start", "end"]
    assert ("heartbeat.kept" in workers.log(0)) == is_needed()


def test_heartbeats_are_kept_by_us_only_where_celery_does_not() -> None:
    assert is_needed((5, 5, 3))
    assert is_needed((5, 6, 0))
    assert not is_needed((5, 6, 1))
    assert not is_needed((5, 7, 0))
    assert is_needed() == (tuple(VERSION[:3]) < (5, 6, 1))


def test_probes_see_start_work_and_end(workers: Workers) -> None:
    port = free_port()
    worker = workers.start(wait=False, CALLBACK_HEALTH_PORT=str(port), WORKER_GRACE_SECONDS="90")
    url = f"http://127.0.0.1:{port}"
    until(lambda: _get(f"{url}/health/live")[0] == 200)
    until(lambda: _get(f"{url}/health/ready")[0] == 200, what=workers.log())
    assert _get(f"{url}/health")[1]["status"] == "healthy"
    assert _get(f"{url}/etc/passwd")[0] == 404
    workers.send(15)
    until(lambda: workers.noted("start"))
    until(lambda: _metric(url, "tasks_active") == 1)
    os.kill(worker.pid, signal.SIGTERM)
    _status, body = until(lambda: (found := _get(f"{url}/health/ready"))[0] == 503 and found)
    assert body["checks"]["ready"] == {"ok": False, "reason": "ending"}
    assert _get(f"{url}/health/live")[0] == 200, "a worker that finishes its work is alive"
    assert workers.noted("end") == 0, "readiness came after the work"
    assert worker.wait(60) == 0
    until(lambda: _get(f"{url}/health/live")[0] == 0, what="the companion outlived its worker")


def test_a_companion_that_dies_is_followed_by_another(workers: Workers) -> None:
    port = free_port()
    worker = workers.start(CALLBACK_HEALTH_PORT=str(port))
    url = f"http://127.0.0.1:{port}"
    until(lambda: _get(f"{url}/health/ready")[0] == 200)
    for _ in range(2):
        (answering,) = [child for child in children(worker.pid) if _listens(child)]
        os.kill(answering, signal.SIGKILL)
        # The moment in which the port is silent may be too short to be seen.
        until(lambda: answering not in children(worker.pid), what="it was not noticed")  # noqa: B023
        until(lambda: _get(f"{url}/health")[0] == 200, 60, what="nobody answers probes any more")
    assert _metric(url, "children_lost_total") == 0
    assert workers.log().count("companion.restarted") == 2 and "(prefork)" in workers.log()
    workers.send(0)
    until(lambda: workers.noted("end"))
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.wait(60) == 0
    until(lambda: _get(f"{url}/health/live")[0] == 0, what="the companion outlived its worker")


def test_metrics_count_tasks_and_lost_children(workers: Workers) -> None:
    port = free_port()
    worker = workers.start(CALLBACK_HEALTH_PORT=str(port))
    url = f"http://127.0.0.1:{port}"
    assert _metric(url, "slots") == _metric(url, "children_started_total") == _metric(url, "ready") == 1
    assert _metric(url, "children_lost_total") == 0
    workers.send(30)
    until(lambda: workers.noted("start"))
    os.kill(int(workers.lines()[0].split()[1]), signal.SIGKILL)
    until(lambda: _metric(url, "children_lost_total") == 1, what="the death of a child is not counted")
    assert _metric(url, "tasks_active") == 0
    assert _metric(url, "heartbeat_age_seconds") < 60
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: _get(f"{url}/health/live")[0] == 0, what="the companion outlived its worker")


def test_liveness_fails_when_the_event_loop_hangs_and_when_the_broker_is_gone_for_long(tmp_path: Path) -> None:
    path = tmp_path / "valkey.sock"
    (tmp_path / "valkey").mkdir()
    server = subprocess.Popen(valkey_command(path, tmp_path / "valkey"), stdout=subprocess.DEVNULL)
    workers = Workers(f"redis+socket://{path}?virtual_host=0", tmp_path)
    try:
        until(lambda: answers(path))
        port = free_port()
        worker = workers.start(
            CALLBACK_HEALTH_PORT=str(port), WORKER_HEALTH_STALE_SECONDS="6", WORKER_HEALTH_BROKER_SECONDS="15"
        )
        url = f"http://127.0.0.1:{port}"
        os.kill(worker.pid, signal.SIGSTOP)
        _, body = until(lambda: (found := _get(f"{url}/health/live"))[0] == 503 and found)
        assert "event loop" in body["checks"]["live"]["reason"]
        os.kill(worker.pid, signal.SIGCONT)
        until(lambda: _get(f"{url}/health/live")[0] == 200)
        server.kill()
        until(lambda: _get(f"{url}/health/ready")[0] == 503)
        assert _get(f"{url}/health/live")[0] == 200, "a short outage of the broker is no reason to restart"
        _status, body = until(lambda: (found := _get(f"{url}/health/live"))[0] == 503 and found)
        assert "broker" in body["checks"]["live"]["reason"]
    finally:
        workers.stop()
        server.kill()
        server.wait()


def test_a_taken_health_port_is_a_clear_refusal(tmp_path: Path) -> None:
    import socket

    workers = Workers("redis://127.0.0.1:1/0", tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        worker = workers.start(wait=False, CALLBACK_HEALTH_PORT=str(port))
        assert worker.wait(60) == 2
    assert f"port {port}" in workers.log()
    assert "CALLBACK_HEALTH_PORT" in workers.log()


def test_a_redis_that_evicts_is_refused_also_when_it_comes_late(tmp_path: Path) -> None:
    path = tmp_path / "valkey.sock"
    (tmp_path / "valkey").mkdir()
    command = [*valkey_command(path, tmp_path / "valkey"), "--maxmemory-policy", "volatile-lru"]
    workers = Workers(f"redis+socket://{path}?virtual_host=0", tmp_path)
    late = workers.start(wait=False)
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until(lambda: answers(path))
        early = workers.start(wait=False)
        for number, worker in enumerate((late, early)):
            assert worker.wait(60) == 2, workers.log(number)
            assert "maxmemory-policy noeviction" in workers.log(number)
    finally:
        workers.stop()
        server.kill()
        server.wait()


def _runs(pid: int) -> bool:
    """False for a process that is gone, or dead and waited for by nobody."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _get(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())
    except (OSError, ValueError, http.client.HTTPException):  # also one that dies in the middle of its answer
        return 0, None


def _metric(url: str, name: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=20) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(f"docfleet_worker_{name}{{"):
                return float(line.rsplit(" ", 1)[1])
    raise AssertionError(f"no metric {name}")


@pytest.mark.slow
def test_a_worker_whose_channel_rabbitmq_closes_goes_on(tmp_path: Path) -> None:
    """What ``consumer_timeout`` does to a task that takes longer: the message comes again, the worker stays."""
    folder = Path(tempfile.mkdtemp(prefix="docfleet-test-"))  # pytest's is closed to the user a server runs as
    folder.chmod(0o755)
    lifeline = Lifeline()
    server = require(lambda: Rabbitmq(folder / "rabbitmq", lifeline))
    workers = None
    try:
        server.start()
        ticking = "application:set_env(rabbit, channel_tick_interval, 1000)"
        server.control("eval", f"{ticking}, application:set_env(rabbit, consumer_timeout, 4000).")
        workers = Workers(server.url, tmp_path)
        worker = workers.start()
        workers.send(12)
        until(lambda: workers.noted("start") == 2, what=f"the message did not come again:\n{workers.log()}")
        assert worker.poll() is None, "the worker exited"
        assert "PRECONDITION_FAILED" in workers.log()
    finally:
        if workers is not None:
            workers.stop()
        server.stop()
        lifeline.close()
        shutil.rmtree(folder, ignore_errors=True)


def _listens(pid: int) -> bool:
    """Whether the process has a socket that listens: of a worker's children only the one that answers probes."""
    listening = {row.split()[9] for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:] if " 0A " in row}
    found = (os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir())
    return any(name == f"socket:[{inode}]" for name in found for inode in listening)
