"""What an answer of a target means, and how long a target may take."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from docfleet.core.outbound import Outbound
from docfleet.providers.base import TargetRejected, TargetUnavailable
from docfleet.providers.http import parse_retry_after, post
from docfleet.providers.registry import open_provider
from tests.notification_targets import Sink
from tests.unit.providers.messages import LOOPBACK, batch


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (204, None),
        (301, TargetRejected),
        (400, TargetRejected),
        (401, TargetRejected),
        (404, TargetRejected),
        (410, TargetRejected),
        (408, TargetUnavailable),
        (425, TargetUnavailable),
        (429, TargetUnavailable),
        (500, TargetUnavailable),
        (503, TargetUnavailable),
    ],
)
def test_what_an_answer_means(sink: Sink, status: int, error: type[Exception] | None) -> None:
    target = open_provider("webhook", {"url": f"{sink.url}/s3cret"})
    sink.answer = lambda handler: handler.reply(status, Retry_After="7", Location=f"{sink.url}/elsewhere")
    if error is None:
        target.send(batch(), LOOPBACK)
        return
    with pytest.raises(error) as caught:
        target.send(batch(), LOOPBACK)
    assert str(status) in str(caught.value) and "s3cret" not in str(caught.value)
    if isinstance(caught.value, TargetUnavailable):
        assert caught.value.retry_after == 7 and caught.value.answered is (status < 500)
    assert len(sink.got) == 1, "a redirect is not followed"


def test_retry_after_is_seconds_or_a_date() -> None:
    assert parse_retry_after("120") == 120 and parse_retry_after(None) is None and parse_retry_after("soon") is None
    later = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
    assert 90 < (parse_retry_after(later) or 0) < 101
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0 and parse_retry_after("9" * 40) == 86_400


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_a_target_has_its_seconds_and_no_more(kind: str) -> None:
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            while kind == "drip" and not over.wait(0.05):
                try:
                    connection.sendall(b"H")
                except OSError:
                    return
            over.wait(20)

    def accept() -> None:
        for _ in range(2):
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port = listener.getsockname()[1]
    try:
        for provider, settings in (
            ("webhook", {"url": f"http://127.0.0.1:{port}/"}),
            ("email", {"host": "127.0.0.1", "port": port, "sender": "a@b.c", "recipients": ["a@b.c"]}),
        ):
            began = time.monotonic()
            with pytest.raises(TargetUnavailable):
                open_provider(provider, settings).send(batch(), Outbound(0.6, LOOPBACK.networks))
            assert time.monotonic() - began < 18  # the target goes away after 20 s
    finally:
        over.set()
        listener.close()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TargetUnavailable, match="ConnectionRefusedError"):
        post(f"http://127.0.0.1:{port}/", b"{}", {}, LOOPBACK)
