"""Health and metrics of a worker over HTTP, from its companion process.

``/health/live`` (``/livez``): restart the worker when this fails. ``/health/ready`` (``/readyz``): it takes work.
``/health``: both. ``/metrics``: Prometheus text. 200 or 503, ``application/json``.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable
from typing import Any

import msgspec

from docfleet.core.errors import ConfigurationError
from docfleet.workers.shared.infrastructure.process.vitals import Vitals

type Answer = Callable[[str], tuple[int, str, bytes]]

BUSY_PORT_SECONDS = 2.0
"""How long the health process of a killed worker may still hold the port."""
CLIENT_SECONDS = 5.0
ENDING_MARGIN_SECONDS = 30.0


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


class HealthServer:
    """Answers probes. Made in the worker, served in its companion."""

    def __init__(self, host: str, port: int, worker: str, vitals: Vitals, limits: HealthLimits, setting: str) -> None:
        """Binds the port. Raises ``ConfigurationError`` when it is taken; ``setting`` names what to change."""
        self._worker = worker
        self._vitals = vitals
        self._limits = limits
        self._where = (host, port, setting)
        self._socket = _listen(*self._where)

    @property
    def descriptor(self) -> int:
        """The file descriptor of the port."""
        return self._socket.fileno()

    def listen(self, patience: float = BUSY_PORT_SECONDS) -> None:
        """Bind the port again. Raises ``ConfigurationError`` when it is still taken after ``patience`` seconds."""
        self._socket = _listen(*self._where, patience=patience)

    def close(self) -> None:
        """Close the port in this process."""
        self._socket.close()

    def serve(self) -> None:
        """Answer until this process ends."""
        _serve(self._socket, self._answer)

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


def _serve(listening: socket.socket, answer: Answer) -> None:
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

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Ignore a client that disconnected."""

    server = Server(listening.getsockname()[:2], Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    server.serve_forever()
