"""A worker that a test sends what an attacker would send, on a broker of its own."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import kombu

from docfleet.cli.embedded.supervisor import Lifeline
from docfleet.core.names import QueueName, TaskName, WorkerType
from tests.acceptance.fleet import plain_environment, pool_children
from tests.servers import Process, Rabbitmq, Server, Valkey, free_port, require
from tests.task_messages import EMBED, envelope
from tests.waiting import until

KEY = "security-suite-internal-key-0123456789abcdef"


class Backend:
    """The side of a backend that a worker sees: it notes each call, and knows no execution."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if not self.path.endswith("/workers/beat/"):  # it comes by the clock, whatever the worker does
                    outer.calls.append((self.command, self.path, self.headers.get("X-Organization-ID", "")))
                body = json.dumps({"code": "not_found", "detail": "there is no such execution"}).encode()
                self.send_response(404)
                self.send_header("Content-Type", "application/problem+json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Worker:
    """A ``docfleet worker`` with one child on a broker of its own."""

    def __init__(self, kind: WorkerType, broker: Server, url: str, results: str, folder: Path, life: Lifeline) -> None:
        self.backend = Backend()
        self.url = url
        self.results = results
        self.folder = folder
        self._connection = kombu.Connection(url)
        self._ready = folder / "ready"
        self.health_port = free_port()
        environment = {
            **plain_environment(),
            "CELERY_BROKER_BASE_URL": url,
            "CELERY_RESULT_BACKEND": results,
            "REDIS_URL": results,
            "INTERNAL_API_BASE_URL": f"{self.backend.url}/internal",
            "INTERNAL_SERVICE_API_KEY": KEY,
            "UNSTRACT_RUNNER_URL": f"http://127.0.0.1:{free_port()}",
            "RUNNER_API_KEY": KEY[::-1],
            "EXECUTION_STORAGE_ROOT": str(folder / "storage"),
            "WORKER_READY_FILE": str(self._ready),
            "WORKER_HEALTH_PORT": str(self.health_port),
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "DEBUG",
        }
        command = [sys.executable, "-P", "-m", "docfleet.cli.main", "worker", kind.value, "--concurrency", "1"]
        self.process = Process("worker", command, environment, folder, life)
        self.start()

    def start(self) -> None:
        """Start it, and wait until it takes messages."""
        self._ready.unlink(missing_ok=True)
        self.process.start()
        until(lambda: self._ready.exists() or not self.process.runs, 60, what="the worker does not start")
        assert self.process.runs, self.log
        self.pid = self.process.pid

    @property
    def log(self) -> str:
        return self.process.log.read_text(errors="replace")

    @property
    def pool(self) -> list[int]:
        return pool_children(self.pid)

    def publish(self, queue: QueueName, body: Any, **options: Any) -> None:
        """Put a message on the queue as it is."""
        with kombu.Producer(self._connection) as producer:
            options = {"content_type": "application/json", "content_encoding": "utf-8"} | options
            producer.publish(body, exchange=queue.value, routing_key=queue.value, **options)

    def task(self, task: TaskName, queue: QueueName, *args: Any, text: str | None = None, **kwargs: Any) -> str:
        """A task message as Celery writes it; ``text`` replaces its body."""
        task_id = str(uuid.uuid4())
        self.publish(queue, text or json.dumps([args, kwargs, EMBED]), **envelope(task.value, task_id))
        return task_id

    def waiting(self, queue: QueueName) -> int:
        with self._connection.channel() as channel:
            try:
                return int(channel.queue_declare(queue.value, passive=True).message_count)
            except self._connection.channel_errors:  # Redis knows no empty queue
                return 0

    def close(self) -> None:
        self._connection.release()
        self.process.bury()
        self.backend.close()


@contextmanager
def broker(leg: str, folder: Path, life: Lifeline) -> Iterator[tuple[Server, str, str]]:
    """A server of its own; its URL as broker, and a Redis for results."""
    valkey = Valkey(folder / "valkey", life)
    valkey.start()
    servers: list[Server] = [valkey]
    url = valkey.url(0)
    if leg == "rabbitmq":
        rabbit = require(lambda: Rabbitmq(folder / "rabbitmq", life))
        servers.append(rabbit)
        rabbit.start()
        url = rabbit.url
    try:
        yield servers[-1], url, valkey.url(1)
    finally:
        for server in servers:
            server.stop(5.0)
