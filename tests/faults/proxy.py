"""A proxy between the workers and the backend that loses, delays or spoils what it is told to."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

ACTIONS = ("error", "hang", "reset", "slow", "lose", "tear")
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
_ANSWER_SECONDS = 60.0


@dataclass
class Trouble:
    """What happens to requests whose path holds ``part``: the first ``times`` (None: all), while ``until`` lies ahead.

    ``error``: 500, ``hang``: no answer until it is over, ``reset``: the connection is reset, each before the backend
    hears of it. ``slow``: the answer comes after ``seconds``. ``lose``: the backend carries it out and the connection
    is reset; ``tear``: half the answer comes.
    """

    part: str
    action: str
    times: int | None = None
    until: float = float("inf")
    seconds: float = 0.0
    met: int = 0


class Proxy:
    """HTTP/1.1 on a free port of the loopback. Without troubles it only forwards and counts."""

    def __init__(self, target: str) -> None:
        """``target`` is ``http://HOST:PORT``; it need not answer yet."""
        address = urlsplit(target)
        self.target = (address.hostname or "", address.port or 80)
        self.requests: Counter[str] = Counter()
        """How often each path was asked for, ids left out."""
        self._troubles: list[Trouble] = []
        self._lock = threading.Lock()
        self.calm = threading.Event()
        """Set while nothing is wrong: who hangs goes on."""
        self.calm.set()

        class Handler(_Handler):
            proxy = self

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def disturb(
        self, part: str, action: str, *, times: int | None = None, lasts: float = float("inf"), seconds: float = 0.0
    ) -> Trouble:
        """From now on, ``lasts`` seconds long."""
        assert action in ACTIONS
        trouble = Trouble(part, action, times, time.monotonic() + lasts, seconds)
        with self._lock:
            self.calm.clear()
            self._troubles.append(trouble)
        return trouble

    def reset(self) -> None:
        """Nothing is wrong any more, and nothing was counted."""
        with self._lock:
            self._troubles = []
            self.requests.clear()
            self.calm.set()

    def close(self) -> None:
        """Stop serving."""
        self.reset()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def trouble(self, path: str) -> Trouble | None:
        """What is to become of a request, which is counted."""
        name = "/".join(part for part in path.split("/") if part and not _is_id(part))
        with self._lock:
            self.requests[name] += 1
            for trouble in self._troubles:
                spent = trouble.times is not None and trouble.met >= trouble.times
                if trouble.part in path and not spent and time.monotonic() < trouble.until:
                    trouble.met += 1
                    return trouble
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what this is about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        trouble = self.proxy.trouble(self.path)
        action = trouble.action if trouble else ""
        if action == "hang":
            assert trouble is not None
            self.proxy.calm.wait(max(0.0, min(trouble.until - time.monotonic(), 120.0)))
        if action in ("hang", "reset"):
            self._reset()
        elif action == "error":
            self._answer(500, b'{"title": "injected"}', {"Content-Type": "application/problem+json"})
        else:
            self._forward(body, trouble)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one  # noqa: N815 - http.server's names

    def _forward(self, body: bytes, trouble: Trouble | None) -> None:
        action = trouble.action if trouble else ""
        backend = http.client.HTTPConnection(*self.proxy.target, timeout=_ANSWER_SECONDS)
        try:
            kept = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            backend.request(self.command, self.path, body or None, kept)
            answer = backend.getresponse()
            status, content, headers = answer.status, answer.read(), dict(answer.getheaders())
        except (OSError, http.client.HTTPException):
            self._reset()
            return
        finally:
            backend.close()
        if action == "slow":
            assert trouble is not None
            self.proxy.calm.wait(trouble.seconds)
        if action == "lose":
            self._reset()
            return
        self._answer(status, content, headers, torn=action == "tear")

    def _answer(self, status: int, content: bytes, headers: dict[str, str], *, torn: bool = False) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if torn else content)
        if torn:
            self._reset()

    def _reset(self) -> None:
        """End the connection without a word: RST, not FIN."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            pass  # it was reset

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Said by the counts."""


def _is_id(part: str) -> bool:
    return len(part) == 36 and part.count("-") == 4
