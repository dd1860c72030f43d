"""One listener: its sockets, its limits, and the connections that are open."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterable
from typing import Protocol

import structlog

from docfleet.core.errors import DependencyError
from docfleet.serving.limits import ConnectionLimits

log = structlog.get_logger(__name__)

_BACKLOG = 2048
_WARNING_SECONDS = 60.0
"""A listener that is full says so at most this often."""


class Guarded(Protocol):
    """A connection, as its listener knows it."""

    def check(self, now: float) -> None:
        """End it when its peer has been silent for too long. ``now`` is the loop's time."""

    def abort(self) -> None:
        """End it at once, without an answer."""


class Listener:
    """Listens on every address of a host, and counts the connections of these sockets only: strangers on one listener
    take nothing from another."""

    def __init__(self, sockets: Iterable[socket.socket], limits: ConnectionLimits) -> None:
        self.sockets = list(sockets)
        self.limits = limits
        self.ports = {int(each.getsockname()[1]) for each in self.sockets}
        self._open: dict[object, Guarded] = {}
        self._waiting: dict[object, None] = {}  # those without a request in work, the longest waiting first
        self._warned = 0.0

    @property
    def count(self) -> int:
        """Open connections."""
        return len(self._open)

    def admit(self, transport: object, connection: Guarded) -> bool:
        """Count a new connection; False when every other one has a request in work, and there is no place."""
        if len(self._open) >= self.limits.connections and not self._make_place():
            return False
        self._open[transport] = connection
        self._waiting[transport] = None
        return True

    def _make_place(self) -> bool:
        if self._warned + _WARNING_SECONDS < time.monotonic():
            self._warned = time.monotonic()
            ports = sorted(self.ports)
            log.warning("connections.full", ports=ports, limit=self.limits.connections, waiting=len(self._waiting))
        longest = next(iter(self._waiting), None)
        if longest is None:
            return False
        evicted = self._open[longest]
        self.forget(longest)
        evicted.abort()
        return True

    def busy(self, transport: object) -> None:
        """A request of this connection is in work: it keeps its place."""
        self._waiting.pop(transport, None)

    def waits(self, transport: object) -> None:
        """This connection waits for its peer from now on."""
        if transport in self._open:
            self._waiting.pop(transport, None)
            self._waiting[transport] = None

    def forget(self, transport: object) -> None:
        """The connection is closed."""
        self._open.pop(transport, None)
        self._waiting.pop(transport, None)

    def check(self, now: float) -> None:
        """End the connections whose peers have been silent for too long. ``now`` is the loop's time."""
        for connection in list(self._open.values()):
            connection.check(now)


def listen(host: str, port: int, setting: str) -> list[socket.socket]:
    """Listen on every address of ``host``. ``setting`` is what its settings begin with, as in ``BACKEND``.

    Raises ``DependencyError`` when a port is taken or there is no address.
    """
    listening: list[socket.socket] = []
    try:
        for family, _, _, _, address in _addresses(host, port):
            try:
                listening.append(socket.create_server(address[:2], family=family, backlog=_BACKLOG))
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL:  # a name may have an address that this machine does not have
                    raise
        if not listening:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    except OSError as error:
        for server in listening:
            server.close()
        raise DependencyError(
            f"cannot listen on {host} port {port} ({_cause(error)}): "
            f"stop the process that uses the port, or choose others with {setting}_PORT and {setting}_HOST"
        ) from error
    return listening


def _addresses(host: str, port: int) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    answers = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys(answers))  # type: ignore[arg-type]


def _cause(error: OSError) -> str:
    known = error.errno is not None and not isinstance(error, socket.gaierror)
    return os.strerror(error.errno) if known and error.errno is not None else error.strerror or str(error)
