"""The file systems that pass the contract: an empty place of each kind. A new connector is a line in ``STORES``."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from docfleet.connectors.base import FileSystemConnector
from docfleet.connectors.filesystems.local import LocalFileSystem
from docfleet.connectors.memory import MemoryFileSystem


@dataclass(frozen=True)
class Place:
    """An empty place. ``open`` makes another connector to it, as another worker has one; the test closes it.

    ``put`` writes a file where the connector only reads; None: the connector writes it.
    """

    open: Callable[[], FileSystemConnector]
    put: Callable[[str, bytes], object] | None = None

    def write(self, path: str, content: bytes = b"x") -> None:
        """Put a file there."""
        if self.put is not None:
            self.put(path, content)
            return
        connector = self.open()
        connector.write_file(path, io.BytesIO(content))
        connector.close()


@dataclass(frozen=True)
class Store:
    """One kind of file system. ``place`` starts its server, and skips the test without one.

    ``has_folders``: a folder is there by itself, so that no file can have its name. ``has_odd_names``: every name that
    Linux has. ``is_shared``: what one process writes another one sees.
    """

    name: str
    place: Callable[[Path], AbstractContextManager[Place]]
    can_write: bool = True
    has_folders: bool = True
    has_odd_names: bool = True
    is_shared: bool = True


@contextmanager
def _local(folder: Path) -> Iterator[Place]:
    yield Place(lambda: LocalFileSystem({"path": str(folder)}))


@contextmanager
def _memory(folder: Path) -> Iterator[Place]:
    files = MemoryFileSystem()
    yield Place(lambda: files)


STORES = (
    Store("local", _local),
    Store("memory", _memory, is_shared=False),
)
