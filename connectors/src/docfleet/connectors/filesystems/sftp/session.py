"""One SSH connection, used by blocking calls.

asyncssh needs an event loop. It runs on the caller's thread, and only while a call waits: a connector has no thread
of its own that a fork would lose. Errors are those of the operating system, so that the code above reads like that of
a local folder.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncssh

from docfleet.connectors.filesystems.sftp.login import Login, LoginRefused
from docfleet.core.errors import ConfigurationError

CONNECT_SECONDS = 15.0
LOGIN_SECONDS = 30.0
CALL_SECONDS = 60.0
"""The most that one request may take: a megabyte at most is under way in each."""
_CLOSE_SECONDS = 2.0
_HOST_KEY_TYPES = (
    ("ssh-ed25519",),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    ("rsa-sha2-512", "rsa-sha2-256"),
)
"""A server has a key of each type and shows one. The types are asked for in turn, because a fingerprint does not say
of which type its key is."""

# It writes a line for each connection and each file.
logging.getLogger("asyncssh").setLevel(logging.WARNING)


class Session:
    """Connects at the first call. After a lost connection the next call connects again. Safe in several threads,
    which wait for each other."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None

    def call[T](self, request: Callable[[asyncssh.SFTPClient], Awaitable[T]], *, connect: bool = True) -> T:
        """What ``request`` gives. An open file ends with its connection: its requests do not ``connect`` anew.

        Raises ``LoginRefused``, ``ConfigurationError`` for a key that cannot be read, ``ConnectionError`` when the
        server does not answer, and another ``OSError`` for what it refuses.
        """
        with self._lock:
            if self._client is None and (self._loop.is_closed() or not connect):
                raise ConnectionError(f"the connection to {self._login.address} has ended")
            client = self._connected()
            try:
                return self._run(request(client), CALL_SECONDS)
            except asyncssh.SFTPNoSuchFile as error:
                raise FileNotFoundError(errno.ENOENT, "no such file") from error
            except asyncssh.SFTPPermissionDenied as error:
                raise PermissionError(errno.EACCES, "permission denied") from error
            except asyncssh.SFTPOpUnsupported as error:
                raise OSError(errno.ENOSYS, "the server has no such operation") from error
            except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.DisconnectError, OSError) as error:
                self._disconnect()
                raise ConnectionError(f"{self._login.address} does not answer any more") from error
            except asyncssh.SFTPError as error:
                raise OSError(errno.EIO, f"the server reports {error.reason!r}") from error

    def close(self) -> None:
        """End the connection."""
        with self._lock:
            if not self._loop.is_closed():
                self._disconnect()
                self._loop.close()

    def _run[T](self, request: Awaitable[T], seconds: float) -> T:
        async def limited() -> T:
            async with asyncio.timeout(seconds):
                return await request

        return self._loop.run_until_complete(limited())

    def _connected(self) -> asyncssh.SFTPClient:
        if self._client is not None:
            return self._client
        key = self._key()
        shown: list[str] = []
        for types in _HOST_KEY_TYPES:
            try:
                self._connection = self._connect(types, key, shown)
                self._client = self._run(self._connection.start_sftp_client(), CALL_SECONDS)
                return self._client
            except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed):
                continue
            except asyncssh.PermissionDenied as error:
                raise LoginRefused(
                    f"{self._login.address} does not let user {self._login.username!r} in: the password or the key is "
                    "wrong, or the server does not accept this way to log in; correct the settings"
                ) from error
            except asyncssh.ChannelOpenError as error:
                self._disconnect()
                raise LoginRefused(
                    f"{self._login.address} gives user {self._login.username!r} no SFTP: its operator has to allow it"
                ) from error
            except (OSError, asyncssh.Error) as error:
                self._disconnect()
                if shown:
                    break  # by now the server has enough of us
                raise ConnectionError(
                    f"{self._login.address} does not answer as an SSH server does ({_cause(error)})"
                ) from error
        if not shown:
            raise LoginRefused(f"{self._login.address} has no host key or cipher that is in use today: update it")
        raise self._login.distrust(shown)

    def _connect(
        self, host_key_types: tuple[str, ...], key: asyncssh.SSHKey | None, shown: list[str]
    ) -> asyncssh.SSHClientConnection:
        trusted = self._login.host_keys

        class Client(asyncssh.SSHClient):
            def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
                fingerprint = key.get_fingerprint()
                shown.append(f"{key.get_algorithm()} {fingerprint}")
                return fingerprint in trusted

        options: dict[str, Any] = {
            "client_factory": Client,
            # Empty but true: for a false value asyncssh reads ~/.ssh/known_hosts, and None turns the check off.
            "known_hosts": ([], [], []),
            "server_host_key_algs": list(host_key_types),
            "client_keys": [key] if key else None,
            # Nothing but the settings counts: no ssh_config, agent, Kerberos ticket or key of this machine's user.
            "config": None,
            "agent_path": None,
            "gss_host": None,
            "host_based_auth": False,
            "x509_trusted_certs": None,
            "connect_timeout": CONNECT_SECONDS,
            "login_timeout": LOGIN_SECONDS,
            "keepalive_interval": 15,
        }
        login = self._login
        connecting = asyncssh.connect(
            login.host, login.port, username=login.username, password=login.password, **options
        )
        return self._run(connecting, CONNECT_SECONDS + LOGIN_SECONDS)

    def _key(self) -> asyncssh.SSHKey | None:
        if self._login.private_key is None:
            return None
        try:
            return asyncssh.import_private_key(self._login.private_key.strip() + "\n", self._login.passphrase)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError):
            # The cause is not chained: it may quote the key.
            raise ConfigurationError(
                "connector sftp: field 'private_key' cannot be read: give a key in the form of OpenSSH or PEM, and its "
                "passphrase in 'private_key_passphrase' if it has one"
            ) from None

    def _disconnect(self) -> None:
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            connection.abort()
            with suppress(OSError, asyncssh.Error):
                self._run(connection.wait_closed(), _CLOSE_SECONDS)


def _cause(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__
