"""Sources: where an execution's files come from, and how one file's bytes get into its execution folder."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from docfleet.connectors.base import FileSystemConnector
from docfleet.connectors.registry import open_file_system
from docfleet.core.batch_calls import LeftOut
from docfleet.core.errors import ConfigurationError, EmptyFile, FileMissing, SourceError, StorageFull, UnsafePath
from docfleet.core.execution import ExecutionContext, SourceConfig
from docfleet.core.files import FileHashData
from docfleet.core.storage import resolve_folder, upload_folder
from docfleet.workers.shared.workflow.connectors.discovery import SourceOptions, discover
from docfleet.workers.shared.workflow.connectors.stillness import Stillness

CHUNK_BYTES = 1024 * 1024


class Source(Protocol):
    """Where an execution's files come from. Made and used inside one task."""

    left_out: LeftOut
    """What ``files`` has left out so far."""

    def files(self) -> Iterator[FileHashData]:
        """The files in the order they are to be numbered, as a stream. Raises ``SourceError``."""

    def fetch(self, file: FileHashData, target: Path) -> str:
        """Bring the file's bytes to ``target`` and return their SHA-256 in hex.

        Raises ``EmptyFile``, ``FileMissing``, ``SourceError``, ``StorageFull``.
        """

    def close(self) -> None:
        """Release its resources."""


class ConnectorSource:
    """Files of a file-system connector. Made and used inside one task."""

    def __init__(self, config: SourceConfig, still_seconds: float) -> None:
        """Files that were written in the last ``still_seconds`` are waited for."""
        if not config.connector_id:
            raise ConfigurationError("the workflow's source has no connector: set `source.connector`")
        self.options = SourceOptions.from_settings(config.source_settings)
        self.left_out = LeftOut()
        self._connector_id = config.connector_id
        self._connector: FileSystemConnector = open_file_system(config.connector_id, config.connector_settings)
        self._still_seconds = still_seconds
        self._stillness = Stillness(self._connector, still_seconds)

    def files(self) -> Iterator[FileHashData]:
        """As ``Source.files``: the listing."""
        return discover(self._connector, self.options, self._connector_id, self.left_out, self._still_seconds)

    def fetch(self, file: FileHashData, target: Path) -> str:
        """As ``Source.fetch``: a copy, under a temporary name until it is complete. Raises ``FileChanging``."""
        # Checked first, because a copy that fills the disk would fail the other files in work, too.
        free = shutil.disk_usage(target.parent).free
        if file.file_size > free:
            raise StorageFull(
                f"there is no space to work in: the file has {file.file_size / 1024**2:.1f} MB, and "
                f"{free / 1024**2:.1f} MB are free; make room where EXECUTION_STORAGE_ROOT is and retry it"
            )
        before = self._stillness.require(file.file_path)
        digest = hashlib.sha256()
        partial = target.with_name(target.name + ".partial")
        with self._connector.open(file.file_path) as source, partial.open("wb") as copy:
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
                copy.write(chunk)
            size = copy.tell()
        self._stillness.compare(file.file_path, before, size)
        if size == 0:
            partial.unlink()
            raise _empty()
        partial.rename(target)
        return digest.hexdigest()

    def close(self) -> None:
        """Close the connector."""
        self._connector.close()


class UploadSource:
    """Files that a caller of an API sent: they lie in the execution's upload folder, named by their hash."""

    def __init__(self, root: Path, context: ExecutionContext, files: Iterable[FileHashData] = ()) -> None:
        """``files`` are those of the message, in the order of the request; a source that only fetches has none."""
        self.left_out = LeftOut()
        self._root = root
        self._files = files
        organization = context.organization_context.organization_id
        self._folder = upload_folder(organization, context.execution.workflow_id, context.execution.id)

    def files(self) -> Iterator[FileHashData]:
        """As ``Source.files``: those of the message."""
        yield from self._files

    def fetch(self, file: FileHashData, target: Path) -> str:
        """As ``Source.fetch``: a hard link to the staged file, which is never written into."""
        if file.file_path != f"{self._folder}/{file.file_hash}":
            raise UnsafePath("the file's entry names a place outside of the execution's uploads; send the file again")
        staged = resolve_folder(self._root, file.file_path)
        try:
            size = staged.stat().st_size
            if size == 0:
                raise _empty()
            if size != file.file_size:
                raise SourceError(f"the staged file has {size} bytes instead of {file.file_size}; send it again")
            try:
                os.link(staged, target)
            except OSError:  # another file system, or one without hard links
                partial = target.with_name(target.name + ".partial")
                shutil.copyfile(staged, partial)
                partial.rename(target)
        except FileNotFoundError as error:
            raise FileMissing("the uploaded file is not there any more; send it again") from error
        return file.file_hash

    def close(self) -> None:
        """Nothing is held."""


def open_source(context: ExecutionContext, root: Path, still_seconds: float) -> Source:
    """Where the bytes of this execution's files are. ``root`` is the storage root; ``still_seconds`` as
    ``ConnectorSource``. Raises ``ConfigurationError``."""
    if context.source_config.is_api:
        return UploadSource(root, context)
    return ConnectorSource(context.source_config, still_seconds)


def _empty() -> EmptyFile:
    return EmptyFile("the file is empty (0 bytes): there is nothing to extract; send it again when it has content")
