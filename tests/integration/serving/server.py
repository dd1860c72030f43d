"""A server in a thread, with limits small enough to reach, and peers that write bytes."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from docfleet.serving.limits import ConnectionLimits
from docfleet.serving.listener import Listener, listen
from docfleet.serving.server import Server
from tests.waiting import until

SMALL = ConnectionLimits(
    connections=8,
    header_bytes=4096,
    header_count=20,
    header_seconds=1.0,
    body_seconds=1.0,
    body_bytes=100,
    answer_seconds=1.0,
    linger_seconds=1.0,
    pipelined=4,
)
LONG = 3.0
"""Seconds that exceed every time limit of ``SMALL``."""
GET = b"GET /ok HTTP/1.1\r\nHost: x\r\n\r\n"
BIG_BYTES = 32 * 1024 * 1024


class Application:
    """Answers by path, and counts what it saw."""

    def __init__(self) -> None:
        self.calls = 0
        self.disconnects = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.calls += 1
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] != "websocket.disconnect":
                if message["type"] == "websocket.receive":
                    await send({"type": "websocket.send", "text": message["text"]})
            return
        content = await self._content(scope["path"], receive)
        if content is None:
            self.disconnects += 1
            return
        headers = [(b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for start in range(0, len(content), 1_000_000):
            await send({"type": "http.response.body", "body": content[start : start + 1_000_000], "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _content(self, path: str, receive: Any) -> bytes | None:
        if path == "/wait" or path == "/busy":
            await asyncio.sleep(LONG)
        elif path == "/big":
            return b"x" * BIG_BYTES
        if path in ("/count", "/busy", "/echo"):
            body = bytearray()
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                body += message.get("body", b"")
                if not message.get("more_body"):
                    return bytes(body) if path == "/echo" else str(len(body)).encode()
        return b"ok"


class Running:
    """A running server, and its application."""

    def __init__(self, server: Server, application: Application) -> None:
        self.application = application
        self.listeners = server.listeners

    @property
    def count(self) -> int:
        return self.listeners[0].count

    def serves(self, listener: int = 0) -> bool:
        with self.peer(GET, listener) as peer:
            return peer.answer() == (200, b"ok")

    def peer(self, sent: bytes = b"", listener: int = 0) -> Peer:
        return Peer(min(self.listeners[listener].ports), sent)


class Peer:
    """A connection to the server."""

    def __init__(self, port: int, sent: bytes = b"") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        if sent:
            self.send(sent)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, sent: bytes) -> None:
        self.socket.sendall(sent)

    def outlives(self, sent: bytes, seconds: float, pause: float = 0.2) -> bool:
        """Send one piece after the other: whether the server takes them for so long."""
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.socket.sendall(sent)
                time.sleep(pause)
        except OSError:
            return False
        return True

    def answer(self) -> tuple[int, bytes]:
        """Status and body of the next answer; 0 when the connection ends without one."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            try:
                byte = self.socket.recv(1)
            except ConnectionError:
                byte = b""
            if not byte:
                return 0, head
            head += byte
        lines = head.decode().lower().split("\r\n")
        (length,) = [int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")]
        body = b""
        while len(body) < length and (more := self.socket.recv(min(length - len(body), 1_000_000))):
            body += more
        return int(lines[0].split()[1]), body

    def is_closed(self, within: float) -> bool:
        """Whether the server closes the connection within so many seconds."""
        self.socket.settimeout(within)
        try:
            while self.socket.recv(65_536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True


@contextmanager
def serving(*limits: ConnectionLimits) -> Iterator[Running]:
    """A server with one listener for each of these limits."""
    application = Application()
    listeners = [Listener(listen("127.0.0.1", 0, "TEST"), each) for each in limits]
    server = Server(application, listeners, timeout_graceful_shutdown=1)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        yield Running(server, application)
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
