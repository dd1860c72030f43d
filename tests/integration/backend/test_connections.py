"""Strangers of a real backend: what they send is bounded, and they lock nobody out."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.backend.process import BackendProcess, backend_process
from tests.servers import free_port

HEADER_BYTES = 329_000_000
MEGABYTE = 1_000_000
SILENT = 1_100


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendProcess]:
    # Fewer than it needs, and it may raise them.
    with backend_process(tmp_path_factory.mktemp("backend"), (256, 8192)) as running:
        yield running


def test_the_limit_on_descriptors_is_raised(backend: BackendProcess) -> None:
    assert backend.descriptors == 8192 and backend.events("descriptors.few") == []


def test_headers_without_end_take_no_memory(backend: BackendProcess) -> None:
    before = backend.memory
    sent = 0
    with socket.create_connection(("127.0.0.1", backend.port), timeout=30) as stranger:
        stranger.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX: ")
        try:
            while sent < HEADER_BYTES:
                stranger.sendall(b"y" * MEGABYTE)
                sent += MEGABYTE
        except OSError:
            pass
    assert backend.memory - before < 20 * MEGABYTE
    assert backend.get("/readyz")[0] == 200


def test_silent_strangers_lock_nobody_out(backend: BackendProcess) -> None:
    with ExitStack() as stack:
        for number in range(SILENT):
            stranger = stack.enter_context(socket.create_connection(("127.0.0.1", backend.port), timeout=30))
            if number % 2:
                stranger.sendall(b"GET /livez HTTP/1.1\r\nHost: ")
        for _ in range(10):
            assert backend.get("/internal/v1/health/")[0] == 200
    assert backend.events("connections.full")


def test_a_host_that_is_none_is_refused(backend: BackendProcess) -> None:
    for path in ("/livez", "/api/v1/workflows", "/nowhere", "/deployment/api/o/a/", "/schema"):
        status, problem = backend.get(path, Host="a:b")
        assert (status, problem["code"]) == (400, "invalid_input") and "Host" in problem["detail"]


def test_a_body_that_ends_early_is_no_fault_of_ours(backend: BackendProcess) -> None:
    with socket.create_connection(("127.0.0.1", backend.port), timeout=30) as client:
        head = f"PUT /api/v1/organizations/o HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {backend.key}\r\n"
        client.sendall(head.encode() + b"Content-Length: 100\r\n\r\n{")
        client.shutdown(socket.SHUT_WR)
        client.recv(100)
    assert backend.get("/readyz")[0] == 200
    assert backend.events("request.failed") == []


def test_too_few_descriptors_are_reported_and_kept_to(tmp_path: Path) -> None:
    with backend_process(tmp_path, (300, 300)) as running:
        (line,) = running.events("descriptors.few")
        assert (line["limit"], line["needed"]) == (300, 2256) and "BACKEND_MAX_CONNECTIONS" in line["remedy"]
        with ExitStack() as stack:
            for _ in range(400):
                stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=30))
            assert running.get("/readyz")[0] == 200


def test_workers_have_a_port_of_their_own(tmp_path: Path) -> None:
    own = free_port()
    with backend_process(
        tmp_path, BACKEND_INTERNAL_PORT=str(own), BACKEND_INTERNAL_ONLY="true", BACKEND_MAX_CONNECTIONS="5"
    ) as running:
        assert running.get("/internal/v1/health/", own)[0] == 200
        status, problem = running.get("/internal/v1/health/")
        assert status == 404 and f"port {own}" in problem["detail"]
        assert running.get("//internal/v1/health")[0] == 404
        assert running.get("/internal/v1/health", Authorization="Bearer wrong")[0] == 401
        assert running.get("/api/v1/organizations")[0] == running.get("/api/v1/organizations", own)[0] == 200


def test_a_second_port_alone_takes_nothing_away(tmp_path: Path) -> None:
    own = free_port()
    with backend_process(tmp_path, BACKEND_INTERNAL_PORT=str(own)) as running:
        assert running.get("/internal/v1/health/", own)[0] == running.get("/internal/v1/health/")[0] == 200
