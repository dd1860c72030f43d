"""The file systems that pass the contract: an empty one of each kind. A new connector is a line in ``STORES``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from docfleet.connectors.base import FileSystemConnector
from docfleet.connectors.filesystems.local import LocalFileSystem
from docfleet.connectors.memory import MemoryFileSystem

type Open = Callable[[], FileSystemConnector]
"""Another connector to the same empty place, as another worker has one. The test closes it."""


@dataclass(frozen=True)
class Store:
    """How to get at an empty place of one kind. ``place`` starts its server, and skips the test without one.

    ``has_folders``: a folder is there by itself, so that a file cannot stand where a folder does. ``has_odd_names``:
    every name that Linux has. ``is_shared``: what one process writes another one sees.
    """

    name: str
    place: Callable[[Path], AbstractContextManager[Open]]
    can_write: bool = True
    has_folders: bool = True
    has_odd_names: bool = True
    is_shared: bool = True


@contextmanager
def _local(folder: Path) -> Iterator[Open]:
    yield lambda: LocalFileSystem({"path": str(folder)})


@contextmanager
def _memory(folder: Path) -> Iterator[Open]:
    files = MemoryFileSystem()
    yield lambda: files


STORES = (
    Store("local", _local),
    Store("memory", _memory, is_shared=False),
)
