"""A storage in the memory of one process: for tests, and for a fleet that is one process."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from docfleet.core.storages.base import StoredObject, check_folder, check_key
from docfleet.core.storages.folder import read_regular, replace_file


class MemoryStorage:
    """See ``Storage``. Its content ends with the process."""

    url = "memory:"

    def __init__(self) -> None:
        self._objects: dict[str, tuple[bytes, float]] = {}
        self._lock = threading.Lock()

    def open(self, key: str) -> BinaryIO:
        """See ``Storage``."""
        return io.BytesIO(self._content(key))

    def put(self, key: str, content: bytes, *, flush: bool = False) -> None:
        """See ``Storage``."""
        with self._lock:
            self._objects[check_key(key)] = (bytes(content), time.time())

    def put_if_absent(self, key: str, content: bytes, *, flush: bool = False) -> bool:
        """See ``Storage``."""
        with self._lock:
            if check_key(key) in self._objects:
                return False
            self._objects[key] = (bytes(content), time.time())
        return True

    def list(self, folder: str = "") -> Iterator[StoredObject]:
        """See ``Storage``."""
        start = f"{check_folder(folder)}/" if folder else ""
        with self._lock:
            found = [(key, *entry) for key, entry in self._objects.items() if key.startswith(start)]
        return (StoredObject(key, len(content), modified_at) for key, content, modified_at in found)

    def delete(self, *keys: str) -> None:
        """See ``Storage``."""
        with self._lock:
            for key in map(check_key, keys):
                self._objects.pop(key, None)

    def upload(self, path: Path, key: str, *, flush: bool = False) -> None:
        """See ``Storage``."""
        with read_regular(path) as stream:
            self.put(key, stream.read())

    def download(self, key: str, path: Path) -> None:
        """See ``Storage``."""
        replace_file(path, [self._content(key)])

    def _content(self, key: str) -> bytes:
        with self._lock:
            entry = self._objects.get(check_key(key))
        if entry is None:
            raise FileNotFoundError(f"{key} is not in the storage")
        return entry[0]
