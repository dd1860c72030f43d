"""Sinks: where an execution's results go. Every sink makes a repeated delivery a no-op in effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import msgspec

from docfleet.connectors.base import DeliveryRow, table_settings
from docfleet.connectors.delivery import deliver_files
from docfleet.connectors.registry import open_database, open_file_system
from docfleet.core.errors import ConfigurationError, ToolResultInvalid
from docfleet.core.execution import DestinationConfig
from docfleet.core.files import FileHashData
from docfleet.core.storage import COPY_TO_FOLDER, INFILE, METADATA


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One file to deliver: its result lies in ``folder``, or ``error`` says why there is none."""

    execution_id: str
    file_execution_id: str
    file: FileHashData
    folder: Path
    error: str | None = None


class Sink(Protocol):
    """Delivers results. Made and used inside one task; repeating a delivery changes nothing."""

    def deliver(self, delivery: Delivery) -> list[str]:
        """Write the result, or the error where the sink keeps errors. Returns where it is, for people.

        Raises ``DestinationUnavailable`` (the same delivery may be tried again) or another error of the file.
        """

    def close(self) -> None:
        """Close the connector."""


class DatabaseSink:
    """A row a file; a failed file gets an error row."""

    def __init__(self, config: DestinationConfig) -> None:
        self._target = table_settings(config.settings)
        self._database = open_database(config.connector_id or "", config.connector_settings)

    def deliver(self, delivery: Delivery) -> list[str]:
        """As ``Sink.deliver``; the key is (execution, file execution)."""
        failed = delivery.error is not None
        row = DeliveryRow(
            execution_id=delivery.execution_id,
            file_execution_id=delivery.file_execution_id,
            file_path=delivery.file.file_path,
            result=None if failed else read_result(delivery.folder),
            status="ERROR" if failed else "SUCCESS",
            error_message=delivery.error,
            metadata=read_metadata(delivery.folder),
        )
        receipt = self._database.deliver(self._target, row)
        return [f"{receipt.table}:{delivery.file_execution_id}"]

    def close(self) -> None:
        """Close the connection."""
        self._database.close()


class FileSystemSink:
    """The files a tool put into COPY_TO_FOLDER; when it put none there, its result as one file."""

    def __init__(self, config: DestinationConfig) -> None:
        self._output_folder = str(config.settings.get("outputFolder") or "/")
        self._files = open_file_system(config.connector_id or "", config.connector_settings)

    def deliver(self, delivery: Delivery) -> list[str]:
        """As ``Sink.deliver``; the name is derived from the source path, so a repeat lands on the same name."""
        if delivery.error is not None:
            return []
        outputs = delivery.folder / COPY_TO_FOLDER
        if not outputs.is_dir() or not any(outputs.iterdir()):
            outputs.mkdir(exist_ok=True)
            suffix = ".txt" if isinstance(read_result(delivery.folder), str) else ".json"
            stem = Path(delivery.file.file_name).stem.encode()[:200].decode(errors="ignore") or "result"
            (outputs / f"{stem}{suffix}").write_bytes((delivery.folder / INFILE).read_bytes())
        return deliver_files(
            self._files,
            outputs,
            self._output_folder,
            key=delivery.file.file_path,
            source_name=delivery.file.file_name,
        )

    def close(self) -> None:
        """Close the connector."""
        self._files.close()


def open_sink(config: DestinationConfig) -> Sink:
    """The sink of a workflow's destination. Raises ``ConfigurationError``: a result never goes nowhere."""
    match config.connection_type:
        case "DATABASE":
            return DatabaseSink(config)
        case "FILESYSTEM":
            return FileSystemSink(config)
        case other:
            raise ConfigurationError(f"destination type {other!r} is not supported: use DATABASE or FILESYSTEM")


def read_metadata(folder: Path) -> dict[str, Any]:
    """METADATA.json of a file, ``{}`` where the file failed before it existed."""
    try:
        metadata: dict[str, Any] = msgspec.json.decode((folder / METADATA).read_bytes())
    except FileNotFoundError:
        return {}
    return metadata


def read_result(folder: Path) -> Any:
    """What the last tool made: a JSON value, or text."""
    steps = read_metadata(folder).get("tool_metadata") or [{}]
    raw = (folder / INFILE).read_bytes()
    if steps[-1].get("output_type") == "JSON":
        try:
            return msgspec.json.decode(raw)
        except msgspec.DecodeError as error:
            raise ToolResultInvalid(f"the tool's result is not valid JSON: {error}") from error
    return raw.decode("utf-8", "replace")
