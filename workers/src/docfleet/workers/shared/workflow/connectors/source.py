"""Sources: where an execution's files come from, and how one file's bytes get into its execution folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from docfleet.connectors.base import FileSystemConnector
from docfleet.connectors.registry import open_file_system
from docfleet.core.errors import ConfigurationError, EmptyFile
from docfleet.core.execution import SourceConfig
from docfleet.core.files import FileHashData
from docfleet.workers.shared.workflow.connectors.discovery import SourceOptions, discover

CHUNK_BYTES = 1024 * 1024


class ConnectorSource:
    """Files of a file-system connector. Made and used inside one task."""

    def __init__(self, config: SourceConfig) -> None:
        if not config.connector_id:
            raise ConfigurationError("the workflow's source has no connector: set `source.connector`")
        self.options = SourceOptions.from_settings(config.source_settings)
        self._connector_id = config.connector_id
        self._connector: FileSystemConnector = open_file_system(config.connector_id, config.connector_settings)

    def files(self) -> Iterator[FileHashData]:
        """The listing, as a stream. Raises ``SourceError``."""
        return discover(self._connector, self.options, self._connector_id)

    def fetch(self, file: FileHashData, target: Path) -> str:
        """Copy the file's bytes to ``target`` (temporary name, then rename) and return their SHA-256 in hex.

        Raises ``EmptyFile``, ``FileMissing``, ``SourceError``.
        """
        digest = hashlib.sha256()
        partial = target.with_name(target.name + ".partial")
        with self._connector.open(file.file_path) as source, partial.open("wb") as copy:
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
                copy.write(chunk)
            size = copy.tell()
        if size == 0:
            partial.unlink()
            raise EmptyFile(
                "the file is empty (0 bytes): there is nothing to extract; send it again when it has content"
            )
        partial.rename(target)
        return digest.hexdigest()

    def close(self) -> None:
        """Close the connector."""
        self._connector.close()
