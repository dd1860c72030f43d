"""Malformed and odd requests on every route of a real backend: each is answered, and none with a fault of ours."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator

import pytest

from tests.integration.backend.process import BackendProcess, backend_process

ID = str(uuid.uuid4())
SEGMENTS = ("%00", "a%00b", "%FF", "%2F", "..", "%ED%A0%80", "%", "%zz", "{}", "%0d%0a", "a" * 3000, "9" * 40, "\xe9")
QUERIES = ("%00=%00", "limit=%00", "limit=1e999", "limit=-1", "after=%FF", "after=" + "9" * 40, "=&&&", "%", "x[]=\xe9")
TARGETS = ("http://x{}", "http://x:99999{}", "//{}", "{}//", "{}#x", "x{}", "http://[{}")
HEADERS = (
    "Host: a:b",
    "Host: [",
    "X-Organization-ID: \xe9\xff",
    "X-Organization-ID: " + "x" * 5000,
    "Authorization: Bearer \xff",
    "Idempotency-Key: \xff",
    "Content-Type: \xff/\xff",
    "Content-Type: multipart/form-data",
    "Content-Type: application/json; charset=nonsense",
    "Content-Encoding: gzip",
    "Content-Length: -1",
    "Transfer-Encoding: x",
    "Accept: \xff",
    "Cookie: =;\xff=\xff;a",
    "Expect: nonsense",
    "X-Forwarded-For: \xff, :::",
    "X-Forwarded-Host: a:b",
)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendProcess]:
    with backend_process(tmp_path_factory.mktemp("backend")) as running:
        running.put("/api/v1/organizations/o", {})
        yield running


def status(backend: BackendProcess, method: str, target: str, header: str = "") -> int:
    """The status of the answer; 0 when there is none."""
    given = {
        "Host": "x",
        "Authorization": f"Bearer {backend.key}",
        "X-Organization-ID": "o",
        "Content-Type": "application/json",
        "Content-Length": "2",
    }
    name = header.partition(":")[0]
    lines = [f"{each}: {value}" for each, value in given.items() if each != name] + ([header] if header else [])
    if name == "Transfer-Encoding":
        lines.remove("Content-Length: 2")
    head = "\r\n".join([f"{method} {target} HTTP/1.1", "Connection: close", *lines, "", "{}"])
    with socket.create_connection(("127.0.0.1", backend.port), timeout=10) as peer:
        peer.sendall(head.encode("latin-1"))
        try:
            answer = peer.recv(12)
        except TimeoutError:
            return 0
    return int(answer[9:12] or 0)


def requests(path: str) -> Iterator[tuple[str, str]]:
    """Targets and headers for a path with parameters in braces."""
    parts = path.split("/")
    plain = "/".join(ID if part.startswith("{") else part for part in parts)
    for place, part in enumerate(parts):
        if part.startswith("{"):
            for odd in SEGMENTS:
                yield "/".join([*plain.split("/")[:place], odd, *plain.split("/")[place + 1 :]]), ""
    yield from ((f"{plain}?{query}", "") for query in QUERIES)
    yield from ((target.format(plain), "") for target in TARGETS)
    yield from ((plain, header) for header in HEADERS)


@pytest.mark.slow
def test_nothing_that_a_request_holds_is_a_fault_of_ours(backend: BackendProcess) -> None:
    description = backend.get("/schema/openapi.json")[1]["paths"]
    paths = [*description, "/schema", "/schema/{path}", "/nowhere", "/api/v1/executions/{execution_id}/events"]
    sent, wrong = 0, []
    for path in paths:
        methods = [method.upper() for method in description.get(path, {"get": {}}) if method != "parameters"]
        for method in methods:
            for target, header in requests(path):
                sent += 1
                if not 200 <= (answered := status(backend, method, target, header)) < 500 and answered != 503:
                    wrong.append((answered, method, target[:80], header[:40]))
    assert wrong == [] and sent > 3000
    assert backend.events("request.crashed") == [] and backend.events("request.failed") == []
