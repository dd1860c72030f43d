# ruff: noqa: RUF001 - letters that look like others are the point
"""URLs that would have the backend fetch from inside: a server on the loopback hears nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from docfleet.backend.calls import presigned
from docfleet.backend.calls.presigned import Rules
from docfleet.backend.calls.refusals import CallRefused
from docfleet.backend.calls.staging import Area
from docfleet.core import outbound

_INSIDE = "127.0.0.1"
_HOSTS = (
    *(
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "0.0.0.0",
        "0",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "2130706433",
        "0x7f000001",
    ),
    *(
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.000.000.001",
        "127.0.0.1.",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
    ),
    *(
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[::127.0.0.1]",
    ),
    *("[fe80::1%25lo]", "[fc00::1]", "169.254.169.254", "[fd00:ec2::254]", "metadata.google.internal", "10.0.0.1"),
    *(
        "192.168.0.1",
        "172.16.0.1",
        "100.64.0.1",
        "192.0.0.8",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
    ),
    *("user@127.0.0.1", "s3.amazonaws.com@127.0.0.1", "s3.amazonaws.com:443@127.0.0.1", "127.0.0.1#.s3.amazonaws.com"),
    *(
        "127.0.0.1?.s3.amazonaws.com",
        "127.0.0.1/.s3.amazonaws.com",
        "127.0.0.1\\.s3.amazonaws.com",
        "evil.com\\@s3.amazonaws.com",
    ),
    *("１２７.０.０.１", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "xn--80ak6aa92e.com", "s3.amazonaws.com.evil.org", "s3.amazonaws.comevil.org"),
    *("127.0.0.1%00.s3.amazonaws.com", "127.0.0.1%2f.s3.amazonaws.com", "127.0.0.1\t", " 127.0.0.1", "127。0。0。1"),
    *(
        "[::1].s3.amazonaws.com",
        "x..s3.amazonaws.com",
        "s3.amazonaws.com\r\nHost: x",
        ".",
        "",
        "@",
        "[",
        "[::1",
        "127.0.0.1:0",
    ),
    *("nip.127.0.0.1.test", "both.test", "flip.test"),
)


class Canary:
    """A server on the loopback that must hear nothing."""

    def __init__(self) -> None:
        self.heard = 0
        self._socket = socket.create_server((_INSIDE, 0))
        self._socket.settimeout(0.05)
        self.port = self._socket.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._over.is_set():
            with suppress(OSError):
                self._socket.accept()[0].close()
                self.heard += 1

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()


@pytest.fixture
def canary() -> Iterator[Canary]:
    found = Canary()
    yield found
    found.close()


@pytest.mark.parametrize("hosts", [(), None], ids=["S3 only", "every host allowed"])
def test_no_url_leads_inside(canary: Canary, hosts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where every name is allowed: then the address decides, and it is the one that is connected to."""
    asked: dict[str, int] = {}
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        known = {
            "nip.127.0.0.1.test": [_INSIDE],
            "both.test": ["93.184.216.34", _INSIDE],
            "metadata.google.internal": ["169.254.169.254"],
        }
        asked[host] = asked.get(host, 0) + 1
        if host == "flip.test":
            known[host] = [_INSIDE]
        if host in known:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]
        if not set(str(host)) <= set("0123456789abcdefxABCDEFX.:[]%lo"):
            raise socket.gaierror(-2, "no such name")  # no test asks the internet
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(presigned, "_HTTPS_PORT", canary.port)
    walked = 0
    for host in _HOSTS:
        for url in (
            f"https://{host}/a.pdf",
            f"https://{host}:{canary.port}/a.pdf",
            f"http://{host}/a.pdf",
            f"//{host}/a.pdf",
        ):
            allowed = (host.strip("[]").lower(), host.lower(), "*.test") if hosts is None else ()
            rules = Rules(tuple(filter(None, allowed)), (), 1, 2.0, None)
            with pytest.raises(CallRefused):
                presigned._fetch(
                    presigned._check(url, rules), Area(tmp_path, "o", "w", "e"), rules, time.monotonic() + 2
                )
            walked += 1
    assert walked >= 4 * 60 and canary.heard == 0
    assert not list(tmp_path.rglob("*.pdf"))


def test_a_name_that_flips_gets_one_look(canary: Canary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Public at the first look and inside at the second: the second is never made."""
    looks: list[str] = []

    def resolve(host: Any, port: Any, *_: Any, **__: Any) -> Any:
        looks.append(str(host))
        address = "192.88.99.1" if looks.count("flip.test") == 1 and host == "flip.test" else _INSIDE
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address if host == "flip.test" else host, port))]

    connected: list[Any] = []

    def connect(address: Any, *_: Any, **__: Any) -> Any:
        connected.append(address[0])
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(outbound, "is_public", lambda address: str(address) != _INSIDE)
    rules = Rules(("flip.test",), (), 1, 2.0, None)
    with pytest.raises(CallRefused):
        presigned._fetch(
            presigned._check("https://flip.test/a", rules), Area(tmp_path, "o", "w", "e"), rules, time.monotonic() + 2
        )
    assert looks == ["flip.test"] and connected == ["192.88.99.1"] and canary.heard == 0
