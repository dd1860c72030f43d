"""A connector that a distribution plugs in: a local folder that is deleted while it is being listed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import ClassVar

import msgspec

from docfleet.connectors.base import ConnectorInfo, OnSkip, SourceEntry
from docfleet.connectors.filesystems.local import LocalFileSystem


class VanishingFolder(LocalFileSystem):
    """The real walk over a real folder; after ``AFTER`` entries somebody removes the folder."""

    AFTER: ClassVar[int] = 510
    """One page of registered files and a few."""
    info: ClassVar[ConnectorInfo] = msgspec.structs.replace(
        LocalFileSystem.info, connector_id="vanishing|00000000-0000-4000-8000-000000000001", name="Vanishing folder"
    )

    def list_files(
        self, folder: str = "", *, recursive: bool, max_depth: int = 10, on_skip: OnSkip | None = None
    ) -> Iterator[SourceEntry]:
        found = super().list_files(folder, recursive=recursive, max_depth=max_depth, on_skip=on_skip)
        for number, entry in enumerate(found, start=1):
            yield entry
            if number == self.AFTER:
                shutil.rmtree(self.root)
