"""A backend on the loopback that keeps what workers report."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from docfleet.workers.shared.infrastructure.process import backend_post


class BackendDouble:
    """``told``: path, organization and body of each call. ``answer`` maps a path to an object; others get ``{}``."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None, dict[str, Any]]] = []
        self.answer: dict[str, Any] = {}
        self.status = 200
        self.go_on = threading.Event()
        self.go_on.set()
        self.url = ""

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """What was sent to ``path`` below ``/internal``."""
        return [body for where, _, body in self.told if where == f"/internal/{path}"]


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[BackendDouble]:
    """A double that the process's settings name."""
    double = BackendDouble()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            double.told.append((self.path, self.headers["X-Organization-ID"], body))
            double.go_on.wait(20)
            answer = json.dumps(double.answer.get(self.path.removeprefix("/internal/"), {})).encode()
            try:
                self.send_response(double.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
            except OSError:
                pass  # it has gone

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    point_to(monkeypatch, f"http://127.0.0.1:{server.server_port}/internal/")
    try:
        yield double
    finally:
        double.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()


def point_to(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The process's settings name this internal API."""
    given = type("Settings", (), {"internal_api_base_url": url, "internal_service_api_key": "k"})
    monkeypatch.setattr(backend_post, "settings", lambda: given)
