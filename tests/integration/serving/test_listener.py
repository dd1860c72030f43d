"""Places of a listener: those without a request go first, and no listener takes places of another."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from docfleet.serving.limits import ConnectionLimits
from docfleet.serving.listener import listen
from tests.integration.serving.server import GET, SMALL, Running, serving
from tests.servers import free_port
from tests.waiting import until

PATIENT = ConnectionLimits(connections=SMALL.connections, header_seconds=600.0)
BUSY = GET.replace(b"/ok", b"/wait")


def test_every_address_of_a_name_is_listened_on(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    found = [(socket.AF_INET, 1, 6, "", (address, port)) for address in ("127.0.0.1", "127.0.0.2", "192.0.2.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: found)
    sockets = listen("name", port, "TEST")
    try:
        # The last one is none of this machine's.
        assert [each.getsockname() for each in sockets] == [("127.0.0.1", port), ("127.0.0.2", port)]
    finally:
        for each in sockets:
            each.close()


def silent(running: Running, stack: ExitStack, count: int, sent: bytes = b"") -> None:
    for _ in range(count):
        stack.enter_context(running.peer(sent))


def test_silent_peers_lock_nobody_out() -> None:
    with serving(PATIENT) as running, ExitStack() as stack:
        working = stack.enter_context(running.peer(BUSY))
        until(lambda: running.application.calls == 1)
        silent(running, stack, 100)
        silent(running, stack, 100, GET[:-2])
        assert all(running.serves() for _ in range(3))
        assert running.count <= PATIENT.connections
        assert working.answer() == (200, b"ok"), "a request in work keeps its place"


def test_the_one_that_waits_longest_goes_first() -> None:
    with serving(PATIENT) as running, ExitStack() as stack:
        first, *others = (stack.enter_context(running.peer(GET)) for _ in range(PATIENT.connections))
        assert all(peer.answer()[0] == 200 for peer in (first, *others))
        others[0].send(GET)
        assert others[0].answer()[0] == 200
        for _ in range(2):
            assert stack.enter_context(running.peer(GET)).answer()[0] == 200
        assert first.is_closed(5) and others[1].is_closed(5)
        others[0].send(GET)
        assert others[0].answer()[0] == 200


def test_without_a_place_the_answer_says_so() -> None:
    with serving(PATIENT) as running, ExitStack() as stack:
        working = [stack.enter_context(running.peer(BUSY)) for _ in range(PATIENT.connections)]
        until(lambda: running.application.calls == PATIENT.connections)
        with running.peer(GET) as peer:
            status, body = peer.answer()
            assert status == 503 and b"try again later" in body
        assert [peer.answer()[0] for peer in working] == [200] * len(working)
        assert running.serves()


def test_a_full_listener_takes_nothing_from_another() -> None:
    with serving(PATIENT, PATIENT) as running, ExitStack() as stack:
        for _ in range(PATIENT.connections):
            stack.enter_context(running.peer(BUSY))
        until(lambda: running.application.calls == PATIENT.connections)
        assert stack.enter_context(running.peer(GET)).answer()[0] == 503
        assert running.serves(listener=1)
