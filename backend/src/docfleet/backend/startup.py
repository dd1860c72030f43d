"""Before the backend serves: its database, which may start later than the backend, and its port."""

from __future__ import annotations

import errno
import os
import socket
import time

import structlog

from docfleet.backend.migrations.upgrade import DatabaseAway, upgrade
from docfleet.backend.platform.db import normalise_url
from docfleet.core.errors import DependencyError

log = structlog.get_logger(__name__)

DATABASE_SECONDS = 60.0
"""How long the backend waits for a database server."""
_RETRY_SECONDS = 1.0
_BACKLOG = 2048


def prepare_database(url: str, seconds: float = DATABASE_SECONDS) -> None:
    """Bring the database to the newest schema, once it answers.

    Raises ``DependencyError`` after ``seconds``, and at once for SQLite: a file does not start later.
    """
    if normalise_url(url).startswith("sqlite"):
        seconds = 0.0
    deadline, is_logged = time.monotonic() + seconds, False
    while True:
        try:
            return upgrade(url)
        except DatabaseAway as error:
            if time.monotonic() >= deadline:
                raise
            if not is_logged:
                log.warning("backend.database_awaited", seconds=seconds, error=error.message)
            is_logged = True
        time.sleep(min(_RETRY_SECONDS, seconds))


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen on every address of ``host``. Raises ``DependencyError`` when a port is taken or there is no address."""
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
            f"the backend cannot listen on {host} port {port} ({_cause(error)}): "
            "stop the process that uses the port, or choose others with BACKEND_PORT and BACKEND_HOST"
        ) from error
    return listening


def _addresses(host: str, port: int) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    answers = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys(answers))  # type: ignore[arg-type]


def _cause(error: OSError) -> str:
    known = error.errno is not None and not isinstance(error, socket.gaierror)
    return os.strerror(error.errno) if known and error.errno is not None else error.strerror or str(error)
