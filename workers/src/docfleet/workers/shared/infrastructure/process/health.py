"""Health and metrics of a worker over HTTP, from a process of its own.

A thread is no option: a fork may copy a lock that it holds. The parent's event loop is no option, either: it stands
still while the broker is unavailable and while the last tasks end. So a process is forked before the pool, reads the
vital signs in shared memory, and ends with its parent. When it dies, the parent starts another.

``/health/live`` (``/livez``): restart the worker when this fails. ``/health/ready`` (``/readyz``): it takes work.
``/health``: both. ``/metrics``: Prometheus text. 200 or 503, ``application/json``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
import structlog
from celery import Celery, bootsteps

from docfleet.core.errors import ConfigurationError
from docfleet.workers.shared.infrastructure.process.vitals import Vitals

log = structlog.get_logger()

type Answer = Callable[[str], tuple[int, str, bytes]]

BUSY_PORT_SECONDS = 2.0
"""How long the health process of a killed worker may still hold the port."""
PARENT_SECONDS = 0.5
CHECK_SECONDS = 5.0
"""How often the worker checks that its health process lives."""
CLIENT_SECONDS = 5.0
ENDING_MARGIN_SECONDS = 30.0
_STANDARD = 3
"""Lower file descriptors are standard input, output and error."""


class HealthLimits(msgspec.Struct, frozen=True):
    """Seconds: without a turn of the event loop, without a broker, and from the signal to the end."""

    stale: float
    broker: float
    grace: float


class Health(msgspec.Struct, frozen=True):
    """``reason`` is for people; empty when ``ok``."""

    ok: bool
    reason: str = ""


def live(vitals: Vitals, limits: HealthLimits, now: float) -> Health:
    """False when a restart would help: the event loop hangs, the broker is unavailable for long, or the worker does not
    end."""
    ending, unconnected = vitals.get("ending_since"), vitals.get("unconnected_since")
    if ending:
        overdue = now - ending - limits.grace - ENDING_MARGIN_SECONDS
        return Health(True) if overdue <= 0 else Health(False, f"has been shutting down for {now - ending:.0f} s")
    if unconnected:
        away = now - unconnected
        return Health(True) if away <= limits.broker else Health(False, f"no connection to the broker for {away:.0f} s")
    still = now - vitals.get("beat")
    return Health(True) if still <= limits.stale else Health(False, f"the event loop has not turned for {still:.0f} s")


def ready(vitals: Vitals, limits: HealthLimits, now: float) -> Health:
    """True while the worker takes messages."""
    if vitals.get("ending_since"):
        return Health(False, "ending")
    if not vitals.get("ready"):
        return Health(False, "starting")
    if vitals.get("unconnected_since"):
        return Health(False, "no connection to the broker")
    return live(vitals, limits, now)


class HealthProcess:
    """The process that answers probes. Made in the parent, before the pool."""

    def __init__(self, host: str, port: int, worker: str, vitals: Vitals, limits: HealthLimits, setting: str) -> None:
        """Binds the port. Raises ``ConfigurationError`` when it is taken; ``setting`` names what to change."""
        self._worker = worker
        self._vitals = vitals
        self._limits = limits
        self._pid = 0
        self._where = (host, port, setting)
        self._socket = _listen(*self._where)

    def start(self) -> None:
        """Fork it."""
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                for each in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
                    signal.signal(each, signal.SIG_IGN)
                _close_others(self._socket.fileno())
                _serve(self._socket, self._answer, lambda: os.getppid() == parent)
            finally:
                os._exit(0)
        self._socket.close()

    def check(self) -> None:
        """Start it again if it died. In the parent; a parent that forks has no other thread."""
        with contextlib.suppress(ChildProcessError):
            if self._pid and os.waitpid(self._pid, os.WNOHANG) == (0, 0):
                return
        self._pid = 0
        try:
            self._socket = _listen(*self._where, patience=0.0)
        except ConfigurationError as error:
            log.error("health.not_restarted", error=error.message)
            return
        self.start()
        log.warning("health.restarted", pid=self._pid)

    def stop(self) -> None:
        """End it, so that the next worker finds the port free."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
            self._pid = 0

    def _answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, media type and body for a path."""
        now = time.monotonic()
        if path == "/metrics":
            # Imported here, so that the parent and its children do not carry it.
            from docfleet.workers.shared.infrastructure.process.metrics import exposition

            return 200, "text/plain; version=0.0.4; charset=utf-8", exposition(self._worker, self._vitals, now)
        checks = {"live": live(self._vitals, self._limits, now), "ready": ready(self._vitals, self._limits, now)}
        wanted = {"/health": ("live", "ready"), "/health/live": ("live",), "/health/ready": ("ready",)}
        wanted |= {"/livez": ("live",), "/readyz": ("ready",)}
        if path not in wanted:
            return 404, "application/json", b'{"status":"not found"}'
        ok = all(checks[name].ok for name in wanted[path])
        body = {
            "status": "healthy" if ok else "unhealthy",
            "worker": self._worker,
            "uptime_seconds": round(now - self._vitals.get("started_at"), 1),
            "checks": {name: checks[name] for name in wanted[path]},
        }
        return 200 if ok else 503, "application/json", msgspec.json.encode(body)


class HealthWatch(bootsteps.StartStopStep):  # type: ignore[misc]
    """A step of the consumer, because the timer is cleared when the connection to the broker is lost."""

    health: ClassVar[HealthProcess | None] = None
    requires: ClassVar[tuple[str, ...]] = ("celery.worker.consumer.connection:Connection",)

    def start(self, parent: Any) -> None:
        """Start to watch the health process."""
        if self.health is not None:
            parent.timer.call_repeatedly(CHECK_SECONDS, self.health.check)


def watch_health(app: Celery, health: HealthProcess) -> None:
    """Have the worker of ``app`` watch its health process. Called before the worker is made."""
    HealthWatch.health = health
    app.steps["consumer"].add(HealthWatch)


def _close_others(mine: int) -> None:
    # File descriptors of the worker: the broker's connection and the pipes of the pool must close when it dies.
    os.closerange(_STANDARD, mine)
    os.closerange(max(mine + 1, _STANDARD), os.sysconf("SC_OPEN_MAX"))


def _listen(host: str, port: int, setting: str, patience: float = BUSY_PORT_SECONDS) -> socket.socket:
    deadline = time.monotonic() + patience
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        try:
            return socket.create_server((host, port), family=family)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            raise ConfigurationError(
                f"the health endpoints cannot listen on {host} port {port} ({os.strerror(error.errno or 0)}): "
                f"choose another port in {setting} (0 switches them off) or another address in WORKER_HEALTH_HOST"
            ) from error


def _serve(
    listening: socket.socket, answer: Callable[[str], tuple[int, str, bytes]], alive: Callable[[], bool]
) -> None:
    # Imported here, so that the parent and its children do not carry it.
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        timeout = CLIENT_SECONDS
        server_version, sys_version = "docfleet", ""

        def do_GET(self) -> None:
            status, media_type, body = answer(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Log nothing: probes come every few seconds."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def service_actions(self) -> None:
            if not alive():
                os._exit(0)

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Ignore a client that disconnected."""

    server = Server(listening.getsockname()[:2], Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    server.serve_forever(poll_interval=PARENT_SECONDS)
