"""Presigned URLs go through the guard of outbound connections."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from docfleet.backend.calls import presigned
from docfleet.backend.calls.presigned import Rules
from docfleet.backend.calls.refusals import CallRefused
from docfleet.backend.calls.staging import Area
from docfleet.core.outbound import Outbound

HOST = "files.example.org"
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


def fetch(port: int, area: Area) -> None:
    # Networks allow the URL to name a port; none of these is the loopback.
    rules = Rules((HOST,), (ipaddress.ip_network("192.0.2.0/24"),), 1, 3.0, None)
    url = presigned._check(f"https://{HOST}:{port}/a.pdf", rules)
    presigned._fetch(url, area, rules, time.monotonic() + 3)


def test_the_connected_address_is_looked_at(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outbound, "resolve", lambda *_: ["127.0.0.1"])
    area = Area(tmp_path, "o", "w", "e")
    with pytest.raises(CallRefused, match="not public") as refused:
        fetch(port, area)
    assert refused.value.status == 400 and refused.value.attr == "presigned_urls" and area.files == []


def test_one_of_several_addresses_that_is_inside_forbids_all(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = [(2, 1, 6, "", (address, port)) for address in ("93.184.216.34", "127.0.0.1")]
    contacted: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    monkeypatch.setattr(socket, "create_connection", lambda address, **_: contacted.append(address))
    with pytest.raises(CallRefused, match="not public"):
        fetch(port, Area(tmp_path, "o", "w", "e"))
    assert contacted == []


def test_every_address_of_a_name_is_tried(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outbound, "resolve", lambda *_: ["127.0.0.9", "127.0.0.1"])
    rules = Rules((HOST,), (LOOPBACK,), 1, 3.0, None)
    with presigned._connect(HOST, port, rules, time.monotonic() + 3) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"


def test_a_name_without_address_is_the_hosts_fault(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(CallRefused, match="has no address") as refused:
        presigned._connect(HOST, port, Rules((HOST,), (), 1, 3.0, None), time.monotonic() + 3)
    assert refused.value.status == 502
