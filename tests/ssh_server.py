"""An OpenSSH server of a test: a user of its own, who exists for this server alone.

The user is in copies of /etc/passwd and /etc/shadow that only the server's mount namespace has, which takes root. Its
namespace of processes ends those that serve a connection, which lead sessions of their own, together with the server.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docfleet.cli.embedded.supervisor import Lifeline
from tests.servers import NotInstalled, Process, Server, free_port, require

USER = "docfleet-test"
_UID = 64_321


class SshServer(Server):
    """``folder`` is the user's: a login begins there. ``client_key`` is a private key that the server accepts."""

    def __init__(self, folder: Path, lifeline: Lifeline, *, deny: str = "") -> None:
        """``deny``: requests that the SFTP server refuses, as of ``sftp-server -P``."""
        program, unshare, openssl = (
            shutil.which("sshd", path="/usr/sbin:/usr/bin"),
            *map(shutil.which, ("unshare", "openssl")),
        )
        if not (program and unshare and openssl and shutil.which("ssh-keygen")):
            raise NotInstalled("no OpenSSH server: there is no sshd, ssh-keygen, openssl or unshare")
        if os.getuid() != 0:
            raise NotInstalled("no OpenSSH server: logging in by password takes root")
        folder.mkdir(parents=True)
        self.folder = folder / "home"
        self.folder.mkdir()
        os.chown(self.folder, _UID, _UID)
        _passable(folder)
        self.port = free_port()
        self.password = secrets.token_hex(12)
        self._settings = folder
        for name, kind in (("host_ed25519", "ed25519"), ("host_ecdsa", "ecdsa"), ("client", "ed25519")):
            _key(folder / name, kind)
        self.client_key = (folder / "client").read_text()
        hashed = _output(openssl, "passwd", "-6", self.password)
        entry = f"{USER}:x:{_UID}:{_UID}::{self.folder}:/bin/sh\n"
        (folder / "passwd").write_text(Path("/etc/passwd").read_text() + entry)
        (folder / "shadow").write_text(Path("/etc/shadow").read_text() + f"{USER}:{hashed}:19000:0:99999:7:::\n")
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nUsePAM no\nPidFile none\nStrictModes no\n"
            f"HostKey {folder}/host_ed25519\nHostKey {folder}/host_ecdsa\nAuthorizedKeysFile {folder}/client.pub\n"
            f"MaxStartups 100\nSubsystem sftp internal-sftp {f'-P {deny}' if deny else ''}\n"
        )
        start = (
            f"mount --bind {folder}/passwd /etc/passwd && mount --bind {folder}/shadow /etc/shadow && "
            f"mount -t tmpfs none /run && mkdir -p /run/sshd && exec {program} -D -e -f {folder}/sshd_config"
        )
        self.process = Process(
            "sshd",
            [unshare, "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", start],
            os.environ,
            folder,
            lifeline,
        )

    @property
    def fingerprints(self) -> dict[str, str]:
        """Of its host keys, by type."""
        kinds = ("ed25519", "ecdsa")
        return {kind: _output("ssh-keygen", "-lf", f"{self._settings}/host_{kind}.pub").split()[1] for kind in kinds}

    def public_key(self, kind: str) -> str:
        """``TYPE BASE64``."""
        return " ".join((self._settings / f"host_{kind}.pub").read_text().split()[:2])

    def change_host_keys(self) -> None:
        """As when the server was set up anew, or is another one. Shows at the next start."""
        for kind in ("ed25519", "ecdsa"):
            for name in (f"host_{kind}", f"host_{kind}.pub"):
                (self._settings / name).unlink()
            _key(self._settings / f"host_{kind}", kind)

    def settings(self, **other: object) -> dict[str, object]:
        """Of a connector that gets in, by password."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "username": USER,
            "password": self.password,
            "host_key": self.fingerprints["ed25519"],
            "user_dir": str(self.folder),
        } | other

    def answers(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
            if not connection.recv(4).startswith(b"SSH-"):
                raise ConnectionError("it is starting")


@contextmanager
def running_server(folder: Path, *, deny: str = "") -> Iterator[SshServer]:
    """A server that ends with the block."""
    lifeline = Lifeline()
    try:
        server: SshServer = require(lambda: SshServer(folder, lifeline, deny=deny))
        server.start()
        yield server
        server.kill()
    finally:
        lifeline.close()


def _passable(folder: Path) -> None:
    """pytest's folders are its user's alone; the user of the server has to get through them."""
    for parent in folder.parents:
        if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)


def _key(path: Path, kind: str) -> None:
    _output("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path))


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
