"""The file systems that pass the contract: an empty place of each kind. A new connector is a line in ``STORES``."""

from __future__ import annotations

import atexit
import io
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from docfleet.connectors.base import FileSystemConnector
from docfleet.connectors.memory import MemoryFileSystem
from docfleet.connectors.registry import open_file_system
from tests.object_stores import PortServer, moto_server, s3_client, s3_settings
from tests.ssh_server import SshServer, running_server


@dataclass(frozen=True)
class Place:
    """An empty place. ``open`` makes another connector to it, as another worker has one; the test closes it.

    ``settings`` are the connector's name and settings for other processes; None: this process only has the files.
    ``put`` writes a file where the connector only reads; None: the connector writes it.
    """

    open: Callable[[], FileSystemConnector]
    settings: tuple[str, dict[str, Any]] | None = None
    put: Callable[[str, bytes], object] | None = None

    def write(self, path: str, content: bytes = b"x") -> None:
        """Put a file there."""
        if self.put is not None:
            self.put(path, content)
            return
        connector = self.open()
        connector.write_file(path, io.BytesIO(content))
        connector.close()


def through_registry(name: str, settings: dict[str, Any]) -> Place:
    """The place that an installed connector reaches with these settings."""
    return Place(lambda: open_file_system(name, settings), (name, settings))


@dataclass(frozen=True)
class Store:
    """One kind of file system. ``place`` starts its server, and skips the test without one.

    ``has_folders``: a folder is there by itself, so that no file can have its name. ``has_odd_names``: every name that
    Linux has.
    """

    name: str
    place: Callable[[Path], AbstractContextManager[Place]]
    can_write: bool = True
    has_folders: bool = True
    has_odd_names: bool = True


@contextmanager
def _local(folder: Path) -> Iterator[Place]:
    yield through_registry("local", {"path": str(folder)})


@contextmanager
def _memory(folder: Path) -> Iterator[Place]:
    files = MemoryFileSystem()
    yield Place(lambda: files)


@cache
def _moto() -> PortServer:
    """One server for the session: each test has a bucket of its own."""
    running = ExitStack()
    atexit.register(running.close)
    return running.enter_context(moto_server(Path(tempfile.mkdtemp())))


@contextmanager
def _s3(folder: Path) -> Iterator[Place]:
    url, bucket = _moto().url, f"bucket-{uuid.uuid4().hex[:12]}"
    s3_client(url).create_bucket(Bucket=bucket)
    yield through_registry("minio", s3_settings(url, bucket=bucket))


@cache
def _ssh() -> SshServer:
    """One server for the session: each test has a folder of its own."""
    running = ExitStack()
    atexit.register(running.close)
    return running.enter_context(running_server(Path(tempfile.mkdtemp()) / "ssh"))


@contextmanager
def _sftp(folder: Path) -> Iterator[Place]:
    server = _ssh()
    own = f"{server.folder}/{uuid.uuid4().hex}"
    with closing(open_file_system("sftp", server.settings(user_dir=own))) as connector:
        connector.write_file("first", io.BytesIO())  # makes the folder
    (Path(own) / "first").unlink()
    yield through_registry("sftp", server.settings(user_dir=own))


STORES = (
    Store("local", _local),
    Store("memory", _memory),
    Store("s3", _s3, has_folders=False, has_odd_names=False),
    Store("sftp", _sftp),
)
