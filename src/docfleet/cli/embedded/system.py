"""The embedded system: everything an execution needs, as child processes in one data folder."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

import msgspec

from docfleet.cli.embedded.data_folder import DataFolder
from docfleet.cli.embedded.supervisor import ChildSpec, Supervisor
from docfleet.cli.embedded.valkey import answers, valkey_command
from docfleet.core.names import QueueName, WorkerType
from docfleet.core.settings import environment, environment_of, read_settings

LOOPBACK = "127.0.0.1"
VALKEY_SECONDS = 30.0
READY_SECONDS = 90.0
RUNNER_GRACE_SECONDS = 1.0
"""The runner's grace period is short: the workers that wait for its tools have ended before it."""
API_LANE = "file_processing_api"
"""The name of the file worker for API calls only."""
SHARED_LANE_NICE = 5
"""The niceness of the file worker for runs and calls beside it: where processors are scarce, the other goes first."""
_WORKERS_STOP, _SERVERS_STOP, _VALKEY_STOP = range(3)


class SystemSettings(msgspec.Struct, frozen=True, rename="upper"):
    """What the user may set for an embedded system; the rest is embedded or generated."""

    redis_url: str | None = None
    """A Redis server for broker, results and cache. Unset, the embedded Valkey."""
    celery_broker_base_url: str | None = None
    """A broker. Unset, REDIS_URL, else the embedded Valkey."""
    celery_result_backend: str | None = None
    """A result backend. Unset, REDIS_URL, else the embedded Valkey."""
    database_url: str | None = None
    """A database. Unset, an SQLite file in the data folder."""
    execution_storage_root: str | None = None
    """A folder for files in work. Unset, one in the data folder."""
    internal_service_api_key: str | None = None
    """The internal key. Unset, one is generated and kept in the data folder."""
    runner_api_key: str | None = None
    """The runner's key. Unset, one is generated and kept in the data folder."""
    metrics_api_key: str | None = None
    """The key of metrics. Unset, one is generated and kept in the data folder."""
    encryption_key: str | None = None
    """The Fernet key. Unset, one is generated and kept in the data folder."""
    backend_port: int | None = None
    """The backend's port. Unset, the one of the last start, else a free one."""
    backend_internal_port: int | None = None
    """The backend's port for workers. Unset, a free one."""
    runner_concurrency: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Tools that run at once. Unset, one per file-processing slot, those for API calls included."""
    runner_port: int | None = None
    """The runner's port. Unset, a free one."""
    log_format: str = "console"
    """`json` writes one object per line, `console` is for people."""
    sweep_interval_seconds: float = 30.0
    """Seconds between two sweeps."""
    file_processing_concurrency: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Slots of the `file_processing` worker. Unset, one per processor."""
    api_reserved_slots: Annotated[int, msgspec.Meta(ge=0)] = 1
    """Further slots that `docfleet dev` keeps for batches of API calls, in a worker of their own; 0 keeps none."""


@dataclass(frozen=True)
class Addresses:
    """The addresses of the system, and its key; ``metrics_key`` opens its metrics only."""

    backend_url: str
    runner_url: str
    key: str
    internal_url: str = ""
    """Where the workers call the backend: the connections there are theirs alone."""
    metrics_key: str = ""


class EmbeddedSystem:
    """Backend, runner, workers and, where none is configured, Valkey. A context manager: leaving it stops all.

    Lives in the main thread; its owner calls ``check`` a few times a second.
    """

    def __init__(
        self,
        folder: Path,
        workers: Iterable[WorkerType],
        *,
        command: str,
        report: Callable[[str], None],
        grace: float = 10.0,
    ) -> None:
        """Take the data folder. ``grace``: seconds that busy workers get at the end to finish a file.

        Raises ``Conflict`` when another system runs in it, ``ConfigurationError``.
        """
        self._workers = tuple(workers)
        self._grace = grace
        self._settings = read_settings(SystemSettings)
        self._reserved = self._settings.api_reserved_slots if WorkerType.API_DEPLOYMENT in self._workers else 0
        self.data = DataFolder.open(folder, command)
        self._supervisor = Supervisor(self.data.logs, report, held_fd=self.data.lock_fd)
        self._sweep_stop = threading.Event()
        self._sweeper: threading.Thread | None = None
        self._backend_port = self._settings.backend_port or self._previous_port()
        self._internal_port = self._settings.backend_internal_port or _free_port()
        self._runner_port = self._settings.runner_port or _free_port()
        key = self._settings.internal_service_api_key or self.data.keys["INTERNAL_SERVICE_API_KEY"]
        metrics_key = self._settings.metrics_api_key or self.data.keys["METRICS_API_KEY"]
        self.addresses = Addresses(
            f"http://{LOOPBACK}:{self._backend_port}",
            f"http://{LOOPBACK}:{self._runner_port}",
            key,
            f"http://{LOOPBACK}:{self._internal_port}",
            metrics_key,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, interrupted: Callable[[], bool] = lambda: False) -> None:
        """Start everything and return when all of it is ready.

        Raises ``ConfigurationError`` or ``ChildFailed`` with the log of the process at fault, ``Interrupted``.
        """
        embedded_url = self._start_valkey(interrupted)
        shared = self._environment(embedded_url)
        names = [spec.name for spec in (self._backend(shared), self._runner(shared))]
        names += [self._worker(worker, shared).name for worker in self._workers]
        if self._reserved:
            names.append(self._api_lane(shared).name)
        self._supervisor.wait_ready(names, READY_SECONDS, interrupted)
        if WorkerType.SCHEDULER not in self._workers:
            self._sweeper = threading.Thread(target=self._sweep, name="sweep", daemon=True)
            self._sweeper.start()

    def check(self) -> None:
        """Restart what died. Raises ``ChildFailed`` when a process keeps dying."""
        self._supervisor.check()

    def pids(self) -> dict[str, int]:
        """The running processes, by name."""
        return self._supervisor.pids()

    def stop(self) -> None:
        """Workers first, then runner and backend, then Valkey; the lock last."""
        self._sweep_stop.set()
        self._supervisor.stop()
        self.data.close()

    def kill(self) -> None:
        """SIGKILL everything; safe in a signal handler."""
        self._supervisor.kill()

    def _previous_port(self) -> int:
        """The backend's port of the last start if it is free, so that the addresses of APIs stay the same."""
        memory = self.data.path / "run" / "backend.port"
        port = 0
        with contextlib.suppress(OSError, ValueError, OverflowError):
            port = _free_port(int(memory.read_text()))
        port = port or _free_port()
        memory.write_text(str(port))
        return port

    def _start_valkey(self, interrupted: Callable[[], bool]) -> str | None:
        """The socket of the embedded server, or None when a Redis is configured."""
        if self._settings.redis_url:
            return None
        path = self.data.socket("valkey.sock")
        path.unlink(missing_ok=True)
        self._supervisor.start(
            ChildSpec(
                name="valkey",
                command=valkey_command(path, self.data.path / "valkey"),
                environment=environment_of("valkey", environment()),
                ready=lambda: answers(path),
                stop_order=_VALKEY_STOP,
                dies_with_supervisor=False,
            )
        )
        self._supervisor.wait_ready(["valkey"], VALKEY_SECONDS, interrupted)
        return str(path)

    def _environment(self, valkey_socket: str | None) -> dict[str, str]:
        """The settings of all processes; each gets those that it reads."""
        given, keys, folder = self._settings, self.data.keys, self.data.path
        redis = given.redis_url
        broker = given.celery_broker_base_url or redis or f"redis+socket://{valkey_socket}?virtual_host=0"
        result = given.celery_result_backend or redis or f"redis+socket://{valkey_socket}?virtual_host=1"
        variables = {
            "DATABASE_URL": given.database_url or f"sqlite:///{folder / 'docfleet.db'}",
            "INTERNAL_SERVICE_API_KEY": self.addresses.key,
            "METRICS_API_KEY": self.addresses.metrics_key,
            "RUNNER_API_KEY": given.runner_api_key or keys["RUNNER_API_KEY"],
            "ENCRYPTION_KEY": given.encryption_key or keys["ENCRYPTION_KEY"],
            "CELERY_BROKER_BASE_URL": broker,
            "CELERY_RESULT_BACKEND": result,
            "REDIS_URL": redis or f"unix://{valkey_socket}?db=2",
            "INTERNAL_API_BASE_URL": f"{self.addresses.internal_url}/internal",
            "UNSTRACT_RUNNER_URL": self.addresses.runner_url,
            "EXECUTION_STORAGE_ROOT": given.execution_storage_root or str(self.data.storage),
            "LOG_FORMAT": given.log_format,
            "RUNNER_GRACE_SECONDS": str(RUNNER_GRACE_SECONDS),
            "BACKEND_PORT": str(self._backend_port),
            "BACKEND_INTERNAL_PORT": str(self._internal_port),
            "RUNNER_PORT": str(self._runner_port),
            "RUNNER_CONCURRENCY": str(given.runner_concurrency or self._slots()),
        }
        if WorkerType.LOG_CONSUMER not in self._workers:
            # Without a log consumer, nothing would take the lines from the broker.
            variables["ENABLE_LOG_HISTORY"] = "false"
        return {**environment(), **variables}

    def _slots(self) -> int:
        """Slots of all file workers."""
        return (self._settings.file_processing_concurrency or os.cpu_count() or 1) + self._reserved

    def _backend(self, shared: dict[str, str]) -> ChildSpec:
        url = f"{self.addresses.backend_url}/readyz"
        return self._start(
            ChildSpec(
                "backend",
                _docfleet("backend"),
                environment_of("backend", shared),
                lambda: _is_ready(url),
                _SERVERS_STOP,
                grace=5.0,
            )
        )

    def _runner(self, shared: dict[str, str]) -> ChildSpec:
        url = f"{self.addresses.runner_url}/readyz"
        return self._start(
            ChildSpec(
                "runner",
                _docfleet("runner"),
                environment_of("runner", shared),
                lambda: _is_ready(url),
                _SERVERS_STOP,
                grace=RUNNER_GRACE_SECONDS + 3.0,
                dies_with_supervisor=False,
            )
        )

    def _api_lane(self, shared: dict[str, str]) -> ChildSpec:
        """A worker that only takes batches of API calls: they find a free slot beside any run."""
        lane = ("--queues", QueueName.API_FILE_PROCESSING, "--concurrency", str(self._reserved))
        return self._worker(WorkerType.FILE_PROCESSING, shared, API_LANE, *lane)

    def _worker(self, worker: WorkerType, shared: dict[str, str], name: str = "", *options: str) -> ChildSpec:
        name = name or worker.value
        ready = self.data.ready_file(name)
        ready.unlink(missing_ok=True)
        # This process watches it, and two systems on one machine would use the same port.
        own = {"WORKER_HEALTH_PORT": "0", "WORKER_GRACE_SECONDS": f"{self._grace:g}", **shared}
        if self._reserved and name == WorkerType.FILE_PROCESSING:
            own = {"WORKER_NICE": str(SHARED_LANE_NICE), **own}
        own["WORKER_READY_FILE"] = str(ready)
        command = _docfleet("worker", worker, *options)
        return self._start(
            ChildSpec(name, command, environment_of(worker, own), ready.exists, _WORKERS_STOP, self._grace)
        )

    def _start(self, spec: ChildSpec) -> ChildSpec:
        self._supervisor.start(spec)
        return spec

    def _sweep(self) -> None:
        """Request sweeps, in place of a scheduler worker."""
        request = urllib.request.Request(
            f"{self.addresses.internal_url}/internal/v1/sweep/",
            data=b"{}",
            headers={"Authorization": f"Bearer {self.addresses.key}", "Content-Type": "application/json"},
        )
        while not self._sweep_stop.wait(self._settings.sweep_interval_seconds):
            try:
                _OPENER.open(request, timeout=30.0).close()
            except (OSError, http.client.HTTPException):
                continue  # the backend is being restarted; the next tick repeats the call


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Calls of loopback addresses never go through a proxy."""


def _is_ready(url: str) -> bool:
    try:
        with _OPENER.open(url, timeout=1.0) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False


def _docfleet(*arguments: str) -> tuple[str, ...]:
    """A docfleet command in this interpreter; -P keeps the current folder off the import path."""
    return (sys.executable, "-P", "-m", "docfleet.cli.main", *arguments)


def _free_port(wanted: int = 0) -> int:
    with socket.socket() as probe:
        # A server may bind a port whose old connections linger, so such a port counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, wanted))
        return int(probe.getsockname()[1])
