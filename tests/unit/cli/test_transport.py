"""Calls of the management API: typed answers, and errors by their code."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from docfleet.cli.transport import ManagementTransport
from docfleet.core.errors import BackendUnavailable, InvalidInput, NotFound
from docfleet.core.management import MAX_REQUEST_BYTES
from docfleet.core.management.keys import KeyRequest, RevokedKey, Scope
from docfleet.core.management.organizations import OrganizationRequest


class Answering(BaseHTTPRequestHandler):
    """Answers what the test says and keeps what it was sent."""

    status = 200
    content = b"{}"
    bodies: list[Any]

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.bodies.append((json.loads(self.rfile.read(length)), self.headers["X-Organization-ID"]))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def backend() -> Iterator[tuple[type[Answering], ManagementTransport]]:
    class Handler(Answering):
        bodies: list[Any] = []

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Handler, ManagementTransport(f"http://127.0.0.1:{server.server_port}", "key", "org")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_struct_goes_out_and_a_struct_comes_back(backend: Any) -> None:
    handler, transport = backend
    handler.content = b'{"key_id": "k", "revoked": true, "of a later version": 1}'
    found = transport.call(RevokedKey, "POST", "keys", KeyRequest(Scope.PLATFORM, "n"))
    assert found == RevokedKey("k", revoked=True)
    assert handler.bodies == [
        ({"scope": "platform", "name": "n", "target": None, "expires_at": None, "role": None}, "org")
    ]


def test_a_name_that_is_not_utf_8_goes_out(backend: Any) -> None:
    handler, transport = backend
    transport.call(dict[str, Any], "POST", "x", OrganizationRequest("a\udcff"))
    assert handler.bodies[0][0] == {"name": "a\udcff"}


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"key_id": 1}', b"\xff"])
def test_an_answer_of_another_server_is_named_as_that(backend: Any, content: bytes) -> None:
    handler, transport = backend
    handler.content = content
    with pytest.raises(BackendUnavailable, match="is not a Docfleet backend"):
        transport.call(RevokedKey, "POST", "keys", {})


def test_a_problem_becomes_the_error_of_its_code(backend: Any) -> None:
    handler, transport = backend
    handler.status, handler.content = 404, b'{"code": "not_found", "detail": "there is none"}'
    with pytest.raises(NotFound, match="there is none"):
        transport.call(RevokedKey, "POST", "keys", {})
    handler.content = b'{"title": "another API"}'
    with pytest.raises(BackendUnavailable, match="is not a Docfleet backend"):
        transport.call(RevokedKey, "POST", "keys", {})


def test_a_body_that_is_too_large_is_not_sent(backend: Any) -> None:
    handler, transport = backend
    with pytest.raises(InvalidInput, match=f"at most {MAX_REQUEST_BYTES}"):
        transport.call(RevokedKey, "POST", "keys", {"name": "y" * MAX_REQUEST_BYTES})
    assert handler.bodies == []
