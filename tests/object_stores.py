"""Object stores for tests: servers on free ports of the loopback, started where a test first asks for one."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from docfleet.cli.embedded.supervisor import Lifeline
from tests.servers import Process, Server, free_port

KEY, SECRET = "AKIACANARYKEY", "canary-secret-9f3b"


class PortServer(Server):
    """A server that is ready when its port takes connections."""

    def __init__(self, name: str, command: list[str], port: int, folder: Path, lifeline: Lifeline) -> None:
        self.port = port
        self.process = Process(name, command, dict(os.environ), folder, lifeline)

    @property
    def url(self) -> str:
        """Of its root."""
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> None:
        """See ``Server``."""
        socket.create_connection(("127.0.0.1", self.port), timeout=1).close()


@contextmanager
def moto_server(folder: Path) -> Iterator[PortServer]:
    """An S3 server of moto: objects in memory, no credentials checked."""
    port = free_port()
    with _running("moto", [sys.executable, "-m", "moto.server", "-p", str(port)], port, folder) as server:
        yield server


@contextmanager
def _running(name: str, command: list[str], port: int, folder: Path) -> Iterator[PortServer]:
    lifeline = Lifeline()
    server = PortServer(name, command, port, folder, lifeline)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        lifeline.close()


def s3_client(url: str) -> Any:
    """boto3: the reader and writer that is independent of the connector."""
    import boto3

    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET
    )


def s3_settings(url: str, **more: Any) -> dict[str, Any]:
    """Settings of the connector for a server of these tests."""
    return {"endpoint_url": url, "region_name": "us-east-1", "key": KEY, "secret": SECRET} | more
