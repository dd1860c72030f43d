"""Outbound connections: no request reaches an inner address unless it is allowed."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from docfleet.core.outbound import ForbiddenAddress, Outbound
from docfleet.providers.base import TargetRejected, TargetUnavailable
from docfleet.providers.http import post
from docfleet.providers.registry import open_provider
from tests.notification_targets import Sink
from tests.unit.providers.messages import batch


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1", "[::ffff:10.0.0.1]"]
)
def test_nothing_goes_inside_unless_it_is_allowed(sink: Sink, host: str) -> None:
    port = sink.server.server_address[1]
    for provider, settings in (
        ("webhook", {"url": f"http://{host}:{port}/"}),
        ("slack", {"url": f"http://{host}:{port}/"}),
        ("email", {"host": host.strip("[]"), "port": port, "sender": "a@b.c", "recipients": ["a@b.c"]}),
    ):
        with pytest.raises(TargetRejected, match="NOTIFICATION_ALLOWED_NETWORKS"):
            open_provider(provider, settings).send(batch(), Outbound(3.0))
    assert sink.got == []


def test_a_name_that_changes_its_address_gains_nothing(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    port = sink.server.server_address[1]
    answers = iter(["93.184.216.34", "127.0.0.1"])
    asked: list[str] = []

    def resolve(host: str, *args: Any, **kwargs: Any) -> Any:
        if host != "rebinding.example.org":
            return real(host, *args, **kwargs)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(TargetUnavailable):
        post(f"http://rebinding.example.org:{port}/", b"{}", {}, Outbound(0.3))
    assert asked == ["rebinding.example.org"] and sink.got == []


def test_the_connected_address_is_looked_at(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the way there was: a connection that ends up inside is closed before a byte is sent."""
    port = sink.server.server_address[1]
    monkeypatch.setattr(Outbound, "resolve", lambda *_: ["127.0.0.1"])
    with pytest.raises(ForbiddenAddress):
        Outbound(3.0).connect("example.org", port, time.monotonic() + 3)


def no_route() -> None:
    raise OSError("no route to host")


def test_one_of_several_addresses_that_is_inside_forbids_all(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(2, 1, 6, "", (address, 80)) for address in ("93.184.216.34", "192.168.0.1")]
    contacted: list[Any] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    monkeypatch.setattr(socket, "create_connection", lambda address, **_: contacted.append(address) or no_route())
    with pytest.raises(TargetRejected):
        post("http://two.example.org/", b"{}", {}, Outbound(1.0))
    assert contacted == []
