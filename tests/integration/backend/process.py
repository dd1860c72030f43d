"""A backend as a process of its own, on SQLite, without a broker."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from tests.servers import free_port
from tests.waiting import until

COMMAND = [sys.executable, "-P", "-W", "error", "-m", "docfleet.cli.main", "backend"]


class BackendProcess:
    """A running backend: its port, its key, its log."""

    def __init__(self, folder: Path, descriptors: tuple[int, int] | None = None, **settings: str) -> None:
        self.key = uuid.uuid4().hex * 2
        self.port = free_port()
        self._log = folder / "backend.log"
        environment = {
            "DATABASE_URL": f"sqlite:///{folder / 'docfleet.db'}",
            "INTERNAL_SERVICE_API_KEY": self.key,
            "ENCRYPTION_KEY": Fernet.generate_key().decode(),
            "CELERY_BROKER_BASE_URL": "memory://",
            "BACKEND_PORT": str(self.port),
            "LOG_FORMAT": "json",
            **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
            **settings,
        }

        def limit() -> None:
            if descriptors is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, descriptors)

        with self._log.open("wb") as log:
            self.process = subprocess.Popen(COMMAND, env=environment, stderr=log, preexec_fn=limit)
        until(self._is_ready)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def put(self, path: str, body: Any) -> tuple[int, Any]:
        """As ``get``, with a JSON body."""
        return self.call("PUT", path, json.dumps(body))

    def get(self, path: str, port: int | None = None, **headers: str) -> tuple[int, Any]:
        """Status and JSON body of a call with the key, on a connection of its own."""
        return self.call("GET", path, port=port, **headers)

    def call(
        self, method: str, path: str, body: str | None = None, port: int | None = None, **headers: str
    ) -> tuple[int, Any]:
        """As ``get``, by any method."""
        connection = HTTPConnection("127.0.0.1", port or self.port, timeout=30)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {self.key}", **headers})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    @property
    def memory(self) -> int:
        """Bytes of resident memory at their peak."""
        (line,) = (line for line in self._status() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def _status(self) -> list[str]:
        return Path(f"/proc/{self.process.pid}/status").read_text().splitlines()

    @property
    def descriptors(self) -> int:
        """The soft limit on open files."""
        limits = Path(f"/proc/{self.process.pid}/limits").read_text().splitlines()
        (line,) = (line for line in limits if line.startswith("Max open files"))
        return int(line.split()[3])

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of this name."""
        lines = (json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if line["event"] == name]


@contextmanager
def backend_process(
    folder: Path, descriptors: tuple[int, int] | None = None, **settings: str
) -> Iterator[BackendProcess]:
    """A backend that ends with the test."""
    backend = BackendProcess(folder, descriptors, **settings)
    try:
        yield backend
    finally:
        backend.process.terminate()
        backend.process.wait(60)
