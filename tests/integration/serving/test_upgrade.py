"""An offer of another protocol is ignored: its request is answered as any other."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.serving.server import GET, SMALL, Peer, Running, serving

SETTINGS = b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + SETTINGS
OFFERS = {
    "h2c": H2C,
    "h2c in lower case": H2C.lower(),
    "h2c without a connection": b"Upgrade: h2c\r\n" + SETTINGS,
    "two headers": b"Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: h2c\r\nUpgrade: h2\r\n",
    "TLS": b"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
    "a list": b"Connection: upgrade\r\nUpgrade: h2c, IRC/6.9, RTA/x11\r\n",
    "a WebSocket that is none": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    "nothing": b"Connection: upgrade\r\nUpgrade:\r\n",
}
BODY = bytes(range(256)) * 20 + b"0\r\n\r\nGET /ok HTTP/1.1\r\n\r\n"


def _post(offer: bytes, is_chunked: bool = False, body: bytes = BODY, more: bytes = b"") -> tuple[bytes, bytes]:
    """The head and the body of a request."""
    size, sent = b"Content-Length: %d\r\n" % len(body), body
    if is_chunked:
        size = b"Transfer-Encoding: chunked\r\n"
        pieces = [body[start : start + 300] for start in range(0, len(body), 300)]
        sent = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return b"POST /echo HTTP/1.1\r\nHost: x\r\n" + offer + size + more + b"\r\n", sent


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serving(SMALL) as server:
        yield server


@pytest.mark.parametrize("piece", [1 << 30, 700, 7])
@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("offer", OFFERS)
def test_a_body_arrives_and_the_connection_goes_on(running: Running, offer: str, is_chunked: bool, piece: int) -> None:
    head, body = _post(OFFERS[offer], is_chunked)
    with running.peer() as peer:
        for sent in (head + body, GET):
            for start in range(0, len(sent), piece):
                peer.send(sent[start : start + piece])
            assert peer.answer() == (200, BODY if sent != GET else b"ok")


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_may_come_after_its_head(running: Running, is_chunked: bool) -> None:
    head, body = _post(H2C, is_chunked)
    with running.peer(head) as peer:
        time.sleep(0.2)
        peer.send(body)
        assert peer.answer() == (200, BODY)


def test_an_expected_body_is_called_for(running: Running) -> None:
    head, body = _post(H2C, more=b"Expect: 100-continue\r\n")
    with running.peer(head) as peer:
        assert peer.socket.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.send(body)
        assert peer.answer() == (200, BODY)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_requests_may_follow_at_once(running: Running, is_chunked: bool) -> None:
    request = b"".join(_post(H2C, is_chunked))
    offered = GET[:-2] + H2C + b"\r\n"
    with running.peer(request + offered + GET + request) as peer:
        assert [peer.answer() for _ in range(4)] == [(200, BODY), (200, b"ok"), (200, b"ok"), (200, BODY)]


def test_a_request_that_ends_its_connection_ends_it(running: Running) -> None:
    head, body = _post(b"Connection: close, Upgrade\r\nUpgrade: h2c\r\n")
    with running.peer(head + body + GET) as peer:
        assert peer.answer() == (200, BODY)
        assert peer.is_closed(1.0)
    with running.peer(GET.replace(b"1.1", b"1.0")[:-2] + H2C + b"\r\n") as peer:
        assert peer.answer() == (200, b"ok")
        assert peer.is_closed(1.0)


def test_the_limits_hold_for_a_request_with_an_offer(running: Running) -> None:
    def status(sent: bytes) -> int:
        with running.peer(sent) as peer:
            return peer.answer()[0]

    assert status(_post(H2C, more=b"X: " + b"y" * 3500 + b"\r\n")[0] + BODY) == 200
    assert status(_post(H2C, more=b"X: " + b"y" * 5000 + b"\r\n")[0]) == 431
    assert status(_post(H2C, more=b"".join(b"X%d: 1\r\n" % n for n in range(14)))[0] + BODY) == 200
    assert status(_post(H2C, more=b"".join(b"X%d: 1\r\n" % n for n in range(20)))[0]) == 431
    assert status(_post(H2C)[0].replace(b"Host: x", b"Host: a b")) == 400
    assert status(_post(H2C)[0]) == 408
    assert status(_post(H2C, True)[0] + b"x\r\n") == 400
    assert status(b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n" + H2C + b"\r\n") == 400
    calls = running.application.calls
    with running.peer(GET.replace(b"/ok", b"/wait") + (GET[:-2] + H2C + b"\r\n") * 100) as peer:
        assert peer.is_closed(1.0)
    assert running.application.calls == calls + 1


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is missing")
def test_curl_sends_a_file_with_an_offer(running: Running, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(BODY)
    url = f"http://127.0.0.1:{min(running.listeners[0].ports)}/echo"
    for more in ([], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"]):
        sent = ["curl", "-sS", "--noproxy", "*", "--http2", "--data-binary", f"@{tmp_path / 'body'}", *more, url, url]
        assert subprocess.run(sent, capture_output=True, timeout=30, check=True).stdout == BODY * 2


def test_a_handshake_has_the_method_of_one(running: Running) -> None:
    offer = b"Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
    offer += b"Sec-WebSocket-Key: eDEyMzQ1Njc4OTAxMjM0NQ==\r\n"
    with Peer(min(running.listeners[0].ports), GET[:-2] + offer + b"\r\n") as peer:
        assert peer.socket.recv(12) == b"HTTP/1.1 101"
    for start in (b"POST /ok HTTP/1.1", b"GET /ok HTTP/1.0"):
        with Peer(min(running.listeners[0].ports), start + b"\r\nHost: x\r\n" + offer + b"\r\n") as peer:
            assert peer.answer() == (200, b"ok")
