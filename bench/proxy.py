"""A proxy that counts the calls that pass through it, and the bytes of their answers."""

from __future__ import annotations

import http.client
import re
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self, override
from urllib.parse import urlsplit

_ID = re.compile(r"/[0-9a-f]{8}-[0-9a-f-]{27}(?=/|$)")
BEAT = "/workers/beat/"
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}


class CountingProxy:
    """Passes everything on to ``target`` (``http://host:port``). A context manager; ``url`` is its own address."""

    def __init__(self, target: str) -> None:
        self._lock = threading.Condition()
        self._answers: dict[str, list[int]] = defaultdict(list)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, urlsplit(target).netloc))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="proxy", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def note(self, method: str, path: str, size: int) -> None:
        """Count one call, but no worker's beat; ``size`` is that of the answer's body in bytes."""
        if path.endswith(BEAT):
            return
        with self._lock:
            self._answers[f"{method} {_ID.sub('/ID', path.partition('?')[0])}"].append(size)
            self._lock.notify_all()

    def wait_for(self, end: str, seconds: float) -> None:
        """Return when a call whose path ends with ``end`` has been answered. Raises ``TimeoutError``."""
        with self._lock:
            if not self._lock.wait_for(lambda: any(path.endswith(end) for path in self._answers), seconds):
                raise TimeoutError(f"no call to {end} within {seconds:g} s")

    def take(self) -> dict[str, list[int]]:
        """The answers' sizes by method and path (ids replaced by ``ID``) since the last ``take``."""
        with self._lock:
            taken, self._answers = dict(self._answers), defaultdict(list)
            return taken


def _handler(proxy: CountingProxy, target: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        _upstream: http.client.HTTPConnection | None = None

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            connection = self._upstream = self._upstream or http.client.HTTPConnection(target, timeout=60)
            try:
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self.send_error(502, str(error))
                return
            proxy.note(self.command, self.path, len(content))
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815 - http.server looks these names up

        @override
        def finish(self) -> None:
            try:
                super().finish()
            finally:
                if self._upstream:
                    self._upstream.close()

        @override
        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
