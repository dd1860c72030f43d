"""A server of rclone's own: WebDAV or FTP over a folder, with a login."""

from __future__ import annotations

import os
import secrets
import socket
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docfleet.cli.embedded.supervisor import Lifeline
from tests.servers import Process, Server, free_port


class RcloneServer(Server):
    """``kind`` is ``webdav`` or ``ftp``."""

    def __init__(self, kind: str, folder: Path, lifeline: Lifeline) -> None:
        self.kind = kind
        self.folder = folder / "files"
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.password = secrets.token_hex(12)
        environment = {**os.environ, "RCLONE_USER": "docfleet", "RCLONE_PASS": self.password}
        program = str(Path(sysconfig.get_path("scripts")) / "rclone")
        command = [program, "serve", kind, f"--addr=127.0.0.1:{self.port}", "--config=", "--dir-cache-time=0s"]
        self.process = Process(kind, [*command, str(self.folder)], environment, folder, lifeline)

    def settings(self, **other: object) -> dict[str, object]:
        """Of a connector that gets in."""
        address = (
            {"url": f"http://127.0.0.1:{self.port}"}
            if self.kind == "webdav"
            else {"host": "127.0.0.1", "port": self.port, "tls": "none"}
        )
        return {**address, "user": "docfleet", "password": self.password, **other}

    def answers(self) -> None:
        socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()


@contextmanager
def running_rclone(kind: str, folder: Path) -> Iterator[RcloneServer]:
    """A server that ends with the block."""
    lifeline = Lifeline()
    try:
        server = RcloneServer(kind, folder, lifeline)
        server.start()
        yield server
        server.kill()
    finally:
        lifeline.close()
