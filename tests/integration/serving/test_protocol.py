"""What a peer may send, and how long it may be silent. The limits are those of ``SMALL``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from websockets.sync.client import connect

from tests.integration.serving.server import BIG_BYTES, GET, LONG, SMALL, Running, serving
from tests.waiting import until

HEAD = b"GET /ok HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
MEGABYTE = b"y" * 1_000_000


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serving(SMALL) as server:
        yield server


TOO_LARGE = {
    "one long header": (HEAD + b"X: " + b"y" * 5000 + b"\r\n\r\n", 431),
    "a header without an end": (HEAD + b"X: " + MEGABYTE, 431),
    "a name without an end": (HEAD + MEGABYTE, 431),
    "headers that together are long": (HEAD + b"".join(b"X%d: %s\r\n" % (n, b"y" * 500) for n in range(15)), 431),
    "many headers": (HEAD + b"".join(b"X%d: 1\r\n" % n for n in range(30)) + b"\r\n", 431),
    "a long URL": (b"GET /" + b"y" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "a URL without an end": (b"GET /" + MEGABYTE, 414),
    "nothing but line ends": (b"\r\n" * 500_000, 431),
    "a long trailer": (CHUNKED + b"1\r\na\r\n0\r\nX: " + MEGABYTE, 431),
    "many trailers": (CHUNKED + b"1\r\na\r\n0\r\n" + b"".join(b"X%d: 1\r\n" % n for n in range(30)), 431),
    "a long chunk extension": (CHUNKED + b"1;" + MEGABYTE, 431),
}


@pytest.mark.parametrize("piece", [1 << 30, 1500])
@pytest.mark.parametrize("case", TOO_LARGE)
def test_a_head_that_is_too_large_is_refused_and_says_the_limit(running: Running, case: str, piece: int) -> None:
    sent, status = TOO_LARGE[case]
    with running.peer() as peer:
        try:
            for start in range(0, len(sent), piece):
                peer.send(sent[start : start + piece])
        except ConnectionError:
            pass
        found, body = peer.answer()
        assert found == status
        problem = json.loads(body)
        assert problem["status"] == status and ("4096" in problem["detail"] or "20 headers" in problem["detail"])
        peer.socket.close()
    assert running.serves()


def test_a_refused_peer_may_send_to_its_end_and_read_why(running: Running) -> None:
    with running.peer(HEAD + b"X: " + b"y" * 5000) as peer:
        for _ in range(10):
            peer.send(MEGABYTE)
        assert peer.answer()[0] == 431


def test_what_is_within_the_limits_is_served(running: Running) -> None:
    with running.peer(HEAD + b"X: " + b"y" * 3500 + b"\r\n\r\n") as peer:
        assert peer.answer() == (200, b"ok")
        peer.send(HEAD + b"".join(b"X%d: 1\r\n" % n for n in range(19)) + b"\r\n")
        assert peer.answer() == (200, b"ok")
        peer.send(CHUNKED + b"3\r\nabc\r\n2;name=value\r\nde\r\n0\r\nX: 1\r\n\r\n")
        assert peer.answer() == (200, b"5")


NO_HOSTS = ("a:b", "a:99999", "a:1:2", "[::1", "[1.2.3.4]", "a b", "a/b", "a@b", "ä", "a\x01", "::1")
HOSTS = ("", "a", "a:", "a:80", "[::1]:80", "[::1]", "1.2.3.4", "a_b.example", "a%20b:1")


@pytest.mark.parametrize(("host", "status"), [*((host, 400) for host in NO_HOSTS), *((host, 200) for host in HOSTS)])
def test_a_host_that_is_none_is_refused(running: Running, host: str, status: int) -> None:
    with running.peer(b"GET /ok HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n") as peer:
        found, body = peer.answer()
        assert found == status
        assert found == 200 or json.loads(body)["code"] == "invalid_input"


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: a\r\n"])
def test_a_request_has_one_host(running: Running, hosts: bytes) -> None:
    with running.peer(b"GET /ok HTTP/1.1\r\n" + hosts + b"\r\n") as peer:
        assert peer.answer()[0] == 400
    with running.peer(b"GET /ok HTTP/1.0\r\n\r\n") as peer:
        assert peer.answer()[0] == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET /ok HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET \x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD + b"X\x00: 1\r\n\r\n",
        HEAD + b"X: a\x00b\r\n\r\n",
        HEAD + b" folded\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
        CHUNKED + b"x\r\n",
        CHUNKED + b"-1\r\n",
    ],
)
def test_what_is_no_request_is_a_problem(running: Running, sent: bytes) -> None:
    with running.peer(sent) as peer:
        status, body = peer.answer()
        assert status in (400, 408), body
        assert json.loads(body)["status"] == status
    assert running.serves()


@pytest.mark.parametrize(("sent", "status"), [(b"", 0), (HEAD, 408), (b"GET /o", 408), (b"\r\n", 0)])
def test_a_head_has_its_time(running: Running, sent: bytes, status: int) -> None:
    with running.peer(sent) as peer:
        began = time.monotonic()
        assert peer.answer()[0] == status
        assert peer.is_closed(LONG) and time.monotonic() - began < LONG


def test_a_head_that_drips_has_its_time_too(running: Running) -> None:
    with running.peer(HEAD) as peer:
        assert not peer.outlives(b"X: 1\r\n", 2 * LONG)


def test_line_ends_do_not_keep_a_connection(running: Running) -> None:
    with running.peer(GET) as peer:
        assert peer.answer()[0] == 200
        assert not peer.outlives(b"\r\n", 2 * LONG)


@pytest.mark.parametrize("drip", [b"", b"y", b";y"])
def test_a_body_that_stalls_ends(running: Running, drip: bytes) -> None:
    seen = running.application.disconnects
    start = CHUNKED + b"3\r\nabc\r\n" + (b"1" if drip == b";y" else b"")
    head = b"POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" if drip == b"y" else start
    with running.peer(head) as peer:
        assert not (drip and peer.outlives(drip, 3 * LONG, 0.1))
        assert peer.answer()[0] == 408
    until(lambda: running.application.disconnects == seen + 1)


def test_a_body_that_makes_progress_is_received(running: Running) -> None:
    with running.peer(b"POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 1500\r\n\r\n") as peer:
        for _ in range(15):
            peer.send(b"y" * 100)
            time.sleep(LONG / 15)
        assert peer.answer() == (200, b"1500")


def test_a_body_waits_for_a_slow_application(running: Running) -> None:
    size = 4_000_000
    with running.peer(b"POST /busy HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size) as peer:
        peer.send(b"y" * size)
        assert peer.answer() == (200, str(size).encode())
    with running.peer(
        b"POST /busy HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    ) as patient:
        assert patient.socket.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        patient.send(b"abc")
        assert patient.answer() == (200, b"3")


def test_a_body_that_nobody_reads_does_not_keep_a_connection(running: Running) -> None:
    with running.peer(b"POST /ok HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n") as peer:
        assert peer.answer() == (200, b"ok")
        assert not peer.outlives(b"y" * 100, 2 * LONG)


def test_an_answer_may_take_as_long_as_it_likes(running: Running) -> None:
    with running.peer(GET.replace(b"/ok", b"/wait")) as peer:
        assert peer.answer() == (200, b"ok")
        peer.send(GET)
        assert peer.answer() == (200, b"ok")


def test_an_answer_that_nobody_takes_ends(running: Running) -> None:
    with running.peer(GET.replace(b"/ok", b"/big")) as peer:
        until(lambda: running.count > 0)
        until(lambda: running.count == 0, 20)
        assert peer.is_closed(LONG)


def test_an_answer_that_is_taken_slowly_arrives(running: Running) -> None:
    with running.peer(GET.replace(b"/ok", b"/big")) as peer:
        size = 0
        while size < BIG_BYTES:
            size += len(peer.socket.recv(2_000_000))
            time.sleep(0.05)


def test_requests_that_wait_are_bounded(running: Running) -> None:
    with running.peer(GET * 4) as peer:
        assert [peer.answer()[0] for _ in range(4)] == [200] * 4
    calls = running.application.calls
    with running.peer(GET.replace(b"/ok", b"/wait") + GET * 100) as peer:
        assert peer.is_closed(LONG / 2)
    assert running.application.calls == calls + 1


def test_a_websocket_outlives_the_limits_and_frees_its_place(running: Running) -> None:
    until(lambda: running.count == 0, 20)
    with connect(f"ws://127.0.0.1:{min(running.listeners[0].ports)}/", proxy=None) as socket:
        time.sleep(LONG)
        socket.send("still there")
        assert socket.recv(10) == "still there" and running.count == 1
    until(lambda: running.count == 0, 20)


def test_a_handshake_that_does_not_end_has_its_time(running: Running) -> None:
    upgrade = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
    with running.peer(upgrade + b"Content-Length: 2\r\n\r\n{}") as peer:
        assert peer.is_closed(2 * LONG)
