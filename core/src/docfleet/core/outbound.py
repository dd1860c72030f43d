"""The guard of connections to hosts that a user names: never into the internal network.

A name is resolved once, each of its addresses must be permitted, and the connection goes to an address that was
checked. The address of the peer is checked again once the connection stands. A name that changes its address in
between gains no access.
"""

from __future__ import annotations

import io
import ipaddress
import socket
import time
from typing import Any

import msgspec

from docfleet.core.errors import ConfigurationError, InvalidInput

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address
type Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class ForbiddenAddress(InvalidInput):
    """The host leads to an address that is not public."""


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet: not private, loopback, link-local, shared, multicast, nor an
    IPv6 address that stands for one of those."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None and not is_public(inner):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def parse_networks(setting: str, value: str) -> tuple[Network, ...]:
    """The comma-separated networks of a setting. Raises ``ConfigurationError`` naming it."""
    parts = [part.strip() for part in value.split(",") if part.strip()]
    try:
        return tuple(ipaddress.ip_network(part) for part in parts)
    except ValueError as error:
        raise ConfigurationError(
            f"setting {setting} is malformed: {error}; use comma-separated networks, as in 10.0.0.0/8,fd00::/8"
        ) from error


class Outbound(msgspec.Struct, frozen=True):
    """What a guarded connection may do: ``seconds`` in all, to public addresses and those of ``networks``.

    ``ca_file`` replaces the certificate authorities of the system.
    """

    seconds: float
    networks: tuple[Any, ...] = ()
    ca_file: str | None = None

    def permits(self, address: Address) -> bool:
        """Whether a connection may go to this address."""
        return is_public(address) or any(address in network for network in self.networks)

    def connect(self, host: str, port: int, deadline: float) -> socket.socket:
        """A connection to the first address of ``host`` that answers. ``deadline`` is of the monotonic clock.

        Raises ``ForbiddenAddress`` unless all its addresses are permitted, ``OSError``, and ``UnicodeError`` for what
        is no host name.
        """
        failure: OSError = OSError("the host has no address")
        for address in self.resolve(host, port):
            try:
                connection = socket.create_connection((str(address), port), timeout=left(deadline))
            except OSError as error:
                failure = error
                continue
            # The peer, because the connection may have been redirected on its way.
            if not self.permits(ipaddress.ip_address(str(connection.getpeername()[0]).partition("%")[0])):
                connection.close()
                raise ForbiddenAddress
            return connection
        raise failure

    def resolve(self, host: str, port: int) -> list[Address]:
        """The addresses of ``host``. Raises as ``connect``."""
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers]
        if not addresses or not all(self.permits(address) for address in addresses):
            raise ForbiddenAddress
        return list(dict.fromkeys(addresses))


def left(deadline: float) -> float:
    """Seconds until ``deadline``. Raises ``TimeoutError`` when it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


class DeadlineStream(io.RawIOBase):
    """Reads a connection until one deadline. The time-out of a socket alone starts again with every byte."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        """The one method of a socket that ``HTTPResponse`` calls."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises ``TimeoutError`` past the deadline."""
        self._connection.settimeout(left(self._deadline))
        return self._connection.recv_into(buffer)
