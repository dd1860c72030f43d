"""Connectors that a distribution plugs in: local folders to which something happens while they are being listed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from docfleet.connectors.base import ConnectorInfo, SourceEntry
from docfleet.connectors.filesystems.local import LocalFileSystem


class VanishingFolder(LocalFileSystem):
    """The real walk over a real folder; after ``AFTER`` entries somebody removes the folder."""

    AFTER: ClassVar[int] = 510
    """One page of registered files and a few."""
    info: ClassVar[ConnectorInfo] = msgspec.structs.replace(
        LocalFileSystem.info, connector_id="vanishing|00000000-0000-4000-8000-000000000001", name="Vanishing folder"
    )

    def list_files(self, folder: str = "", *, recursive: bool, **options: Any) -> Iterator[SourceEntry]:
        found = super().list_files(folder, recursive=recursive, **options)
        for number, entry in enumerate(found, start=1):
            yield entry
            if number == self.AFTER:
                shutil.rmtree(self.root)


class PausedFolder(LocalFileSystem):
    """The real walk; after ``AFTER`` entries it makes ``../listing`` and waits for ``../open``."""

    AFTER: ClassVar[int] = 510
    MAX_SECONDS: ClassVar[float] = 60.0
    info: ClassVar[ConnectorInfo] = msgspec.structs.replace(
        LocalFileSystem.info, connector_id="paused|00000000-0000-4000-8000-000000000002", name="Paused folder"
    )

    def list_files(self, folder: str = "", *, recursive: bool, **options: Any) -> Iterator[SourceEntry]:
        found = super().list_files(folder, recursive=recursive, **options)
        stage, until = Path(self.root).parent, time.monotonic() + self.MAX_SECONDS
        for number, entry in enumerate(found, start=1):
            yield entry
            if number == self.AFTER:
                (stage / "listing").touch()
                while not (stage / "open").exists() and time.monotonic() < until:
                    time.sleep(0.02)
