"""The ``Host`` header (RFC 9112, 3.2): a name or an address, and at most a port."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

_HOST = re.compile(
    rb"(?:\[(?P<address>[0-9A-Fa-f:.]{2,45})\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::(?P<port>[0-9]{0,5}))?\Z"
)
_MAX_PORT = 65_535


def fault(headers: Iterable[tuple[bytes, bytes]], http_version: str) -> str | None:
    """What is wrong with the ``Host`` of a request, or None. Names of headers are in lower case."""
    hosts = [value.strip() for name, value in headers if name == b"host"]
    if not hosts:
        return None if http_version == "1.0" else "the header Host is missing: name the host that is called"
    if len(hosts) > 1:
        return "there are several Host headers: send one"
    found = _HOST.match(hosts[0])
    if found is None or int(found["port"] or 0) > _MAX_PORT or not _is_address(found["address"]):
        return "the header Host is malformed: it is a name or an address, and at most a port, as in example.org:8000"
    return None


def _is_address(text: bytes | None) -> bool:
    try:
        return text is None or bool(ipaddress.IPv6Address(text.decode()))
    except ValueError:
        return False
