"""The transport against a real HTTP server that misbehaves."""

from __future__ import annotations

import errno
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import stamina

from docfleet.core.errors import AlreadyFinal, BackendUnavailable, NotFound, ResourceExhausted, StorageFull
from docfleet.workers.shared.clients.transport import HttpTransport
from docfleet.workers.shared.infrastructure.patterns.breaker import FAILURES_TO_OPEN


class Server(ThreadingHTTPServer):
    daemon_threads = True
    answers: list[tuple[int, Any]]
    seen: list[dict[str, str]]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        self.server.seen.append({"body": body, "path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
        status, answer = self.server.answers.pop(0) if self.server.answers else (200, {})
        if status == 0:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        payload = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST  # noqa: N815

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.answers, server.seen = [], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    with stamina.set_testing(True, attempts=3, cap=True):
        yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def transport(server: Server) -> Iterator[HttpTransport]:
    transport = HttpTransport(f"http://127.0.0.1:{server.server_port}/internal", "secret-key", dependency="the backend")
    yield transport
    transport.close()


def test_a_call_carries_the_key_and_reuses_its_connection(server: Server, transport: HttpTransport) -> None:
    server.answers += [(200, {"n": 1}), (200, {"n": 2})]
    assert json.loads(transport.request("POST", "v1/x/", body={"a": 1}, headers={"X-Organization-ID": "o"})) == {"n": 1}
    transport.request("GET", "v1/x/")
    assert server.seen[0]["path"] == "/internal/v1/x/"
    assert server.seen[0]["authorization"] == "Bearer secret-key"
    assert server.seen[0]["x-organization-id"] == "o"
    assert "x-organization-id" not in server.seen[1]


@pytest.mark.parametrize("fault", [500, 502, 503, 504, 429, 0])
def test_what_may_pass_is_tried_again(server: Server, transport: HttpTransport, fault: int) -> None:
    server.answers += [(fault, {}), (fault, {}), (200, {"ok": True})]
    assert json.loads(transport.request("POST", "v1/x/", body={})) == {"ok": True}
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("status", "problem", "error"),
    [
        (404, {"code": "not_found", "detail": "no such execution"}, NotFound),
        (409, {"code": "already_final", "detail": "it is COMPLETED"}, AlreadyFinal),
        (404, {}, NotFound),
    ],
)
def test_a_refusal_is_final_and_typed(
    server: Server, transport: HttpTransport, status: int, problem: Any, error: type[Exception]
) -> None:
    server.answers += [(status, problem)]
    with pytest.raises(error, match=problem.get("detail", "refused")):
        transport.request("POST", "v1/x/", body={})
    assert len(server.seen) == 1


def test_an_open_breaker_makes_no_call_and_lets_finalization_through(server: Server, transport: HttpTransport) -> None:
    server.answers += [(500, {})] * FAILURES_TO_OPEN
    with pytest.raises(BackendUnavailable):
        transport.request("POST", "v1/x/")
    with pytest.raises(BackendUnavailable, match="in a row"):
        transport.request("POST", "v1/x/")
    calls = len(server.seen)
    assert calls == FAILURES_TO_OPEN
    with pytest.raises(BackendUnavailable, match="in a row"):
        transport.request("POST", "v1/x/")
    assert len(server.seen) == calls
    transport.request("POST", "v1/finalize/", final=True)
    assert len(server.seen) == calls + 1


def test_refusals_do_not_open_the_breaker(server: Server, transport: HttpTransport) -> None:
    server.answers += [(404, {"code": "not_found", "detail": "no"})] * (2 * FAILURES_TO_OPEN)
    for _ in range(2 * FAILURES_TO_OPEN):
        with pytest.raises(NotFound):
            transport.request("GET", "v1/x/")
    assert len(server.seen) == 2 * FAILURES_TO_OPEN


def test_trouble_of_the_other_machine_keeps_its_name(server: Server, transport: HttpTransport) -> None:
    server.answers += [(503, {"code": "storage_full", "detail": "no space"})] * 3
    with pytest.raises(StorageFull, match="the backend: no space"):
        transport.request("POST", "v1/x/")
    assert len(server.seen) == 3


def test_a_lack_of_descriptors_of_our_own_is_not_the_dependencys(
    transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", refuse)
    with stamina.set_testing(True, attempts=2 * FAILURES_TO_OPEN, cap=True), pytest.raises(ResourceExhausted):
        transport.request("POST", "v1/x/")
