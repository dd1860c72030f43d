"""Sinks: where an execution's results go. Every sink makes a repeated delivery a no-op in effect."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from docfleet.connectors.base import DeliveryRow, DocumentIdentity, WriteFence, table_settings
from docfleet.connectors.delivery import deliver_files, withdraw_files
from docfleet.connectors.registry import open_database, open_file_system
from docfleet.core.errors import ConfigurationError, ToolOutputTooLarge, ToolResultInvalid
from docfleet.core.evidence import EVIDENCE_BYTES, DocumentEvidence
from docfleet.core.execution import DestinationConfig
from docfleet.core.files import FileHashData
from docfleet.core.names import API_CONNECTION_TYPES
from docfleet.core.nesting import exceeds_depth
from docfleet.core.runs import RESULT_BYTES
from docfleet.core.storage import COPY_TO_FOLDER, EVIDENCE, INFILE, METADATA

MAX_RESULT_BYTES = 6 * 1024**2
"""An outcome is part of a request body, of which the backend accepts 10 MB."""
MAX_API_EVIDENCE_BYTES = 1024**2
"""The most bytes of evidence that go with the result of an API's run; more is left out."""
MAX_RESULT_DEPTH = 200
"""The most levels of nesting in a result: a database or a caller that reads it has a limited stack."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One file to deliver: its result is in ``folder``, or ``error`` is the reason why there is none.

    ``attempt`` is the fencing token, and ``require`` raises ``Fenced`` when the lease is lost.
    ``metadata`` is what is known about the file without its folder. ``text`` is the text of the document,
    ``metrics`` the cost of the steps; both are used by an API only.
    """

    execution_id: str
    file_execution_id: str
    attempt: int
    require: Callable[[], None]
    file: FileHashData
    folder: Path
    error: str | None = None
    metadata: dict[str, Any] = {}
    text: str | None = None
    metrics: dict[str, Any] = {}
    result_bytes: int = RESULT_BYTES
    """The most bytes of the result that are read."""


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """``outputs`` are locations for people, ``digest`` is the SHA-256 (hex) of their content. ``result`` and
    ``metadata`` are set for an API: they are sent with the outcome."""

    outputs: list[str] = []
    digest: str | None = None
    result: msgspec.Raw | None = None
    metadata: dict[str, Any] | None = None


class Sink(Protocol):
    """Delivers results. Made and used inside one task; repeating a delivery changes nothing."""

    def deliver(self, delivery: Delivery) -> Delivered:
        """Write the result, or the error where the sink keeps errors.

        Raises ``Fenced`` when a later attempt has delivered, ``DestinationUnavailable`` (the same delivery may be
        tried again) or another error of the file.
        """

    def close(self) -> None:
        """Close the connector."""


class DatabaseSink:
    """One row per file; a failed file gets an error row."""

    def __init__(self, config: DestinationConfig, origin: str, created_at: str) -> None:
        self._origin = origin
        self._created_at = created_at
        self._target = table_settings(config.settings)
        self._database = open_database(config.connector_id or "", config.connector_settings)

    def deliver(self, delivery: Delivery) -> Delivered:
        """As ``Sink.deliver``; the key is (execution, file execution)."""
        failed = delivery.error is not None
        metadata = _metadata_of_failed(delivery.folder) if failed else read_metadata(delivery.folder)
        row = DeliveryRow(
            execution_id=delivery.execution_id,
            file_execution_id=delivery.file_execution_id,
            file_path=delivery.file.file_path,
            result=None if failed else read_result(delivery.folder, delivery.result_bytes),
            status="ERROR" if failed else "SUCCESS",
            error_message=delivery.error,
            metadata=metadata,
            attempt=delivery.attempt,
            evidence=read_evidence(delivery.folder) if self._target.evidence_column and not failed else None,
            document=self._document(delivery.file, metadata),
            execution_created_at=self._created_at,
        )
        receipt = self._database.deliver(self._target, row)
        return Delivered(outputs=[f"{receipt.table}:{delivery.file_execution_id}"], digest=receipt.digest)

    def _document(self, file: FileHashData, metadata: dict[str, Any]) -> str | None:
        """The document within its workflow and source; None where it failed before its content was known."""
        named = file.file_path
        if self._target.identity is DocumentIdentity.CONTENT:
            named = str(metadata.get("source_hash") or file.file_hash)
        name = f"{self._target.identity}\0{self._origin}\0{named}"
        return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest() if named else None

    def close(self) -> None:
        """Close the connection."""
        self._database.close()


class FileSystemSink:
    """The files that a tool put into COPY_TO_FOLDER, or its result as one file when there are none."""

    def __init__(self, config: DestinationConfig, origin: str) -> None:
        self._origin = origin
        self._with_evidence = bool(config.settings.get("evidence"))
        self._output_folder = str(config.settings.get("outputFolder") or "/")
        self._files = open_file_system(config.connector_id or "", config.connector_settings)

    def deliver(self, delivery: Delivery) -> Delivered:
        """As ``Sink.deliver``; the name is derived from origin and source path, so a repeat lands on the same name. An
        error removes what an earlier attempt at the file has delivered."""
        fence = WriteFence(delivery.file_execution_id, delivery.attempt, delivery.require)
        notes = delivery.folder.parent
        if delivery.error is not None:
            withdraw_files(self._files, fence, notes)
            return Delivered()
        outputs = delivery.folder / COPY_TO_FOLDER
        if not outputs.is_dir() or not any(outputs.iterdir()):
            outputs.mkdir(exist_ok=True)
            suffix = ".txt" if isinstance(read_result(delivery.folder, delivery.result_bytes), str) else ".json"
            stem = Path(delivery.file.file_name).stem.encode()[:200].decode(errors="ignore") or "result"
            shutil.copyfile(delivery.folder / INFILE, outputs / f"{stem}{suffix}")
        if self._with_evidence and (delivery.folder / EVIDENCE).exists():
            shutil.copyfile(delivery.folder / EVIDENCE, outputs / EVIDENCE)
        delivered = deliver_files(
            self._files,
            outputs,
            self._output_folder,
            key=f"{self._origin}\0{delivery.file.file_path}",
            source_name=delivery.file.file_name,
            fence=fence,
            notes=notes,
        )
        return Delivered(outputs=delivered.locations, digest=delivered.digest)

    def close(self) -> None:
        """Close the connector."""
        self._files.close()


class ApiSink:
    """The result goes to the caller. It travels with the outcome, and the backend writes it together with the file's
    status in one transaction, so a repeat cannot double it."""

    def deliver(self, delivery: Delivery) -> Delivered:
        """As ``Sink.deliver``. Raises ``ToolOutputTooLarge``."""
        if delivery.error is not None:
            metadata = {**delivery.metadata, **_metadata_of_failed(delivery.folder)}
            return Delivered(metadata={**metadata, "error_occurred": True, "workflow_execution_failed": True})
        metadata = {**delivery.metadata, **read_metadata(delivery.folder)}
        inner: dict[str, Any] = {
            "source_name": metadata.get("source_name"),
            "tools": [step.get("tool_name") for step in metadata.get("tool_metadata") or []],
        }
        if delivery.text is not None:
            inner["extracted_text"] = delivery.text
        output = read_result(delivery.folder, delivery.result_bytes)
        item = {"output": output, "metadata": inner, "metrics": delivery.metrics}
        result = msgspec.json.encode(item)
        evidence = read_evidence(delivery.folder, MAX_API_EVIDENCE_BYTES)
        if evidence is not None:
            metadata["evidence"] = evidence
        if len(result) > MAX_RESULT_BYTES:
            raise ToolOutputTooLarge(
                f"the result has {len(result) / 1024**2:.1f} MB, at most {MAX_RESULT_BYTES // 1024**2} MB "
                "are returned for a file; use a workflow with a destination for such documents"
            )
        digest = hashlib.sha256(result).hexdigest()
        return Delivered(result=msgspec.Raw(result), metadata=metadata, digest=digest)

    def close(self) -> None:
        """Nothing is held."""


def open_sink(config: DestinationConfig, origin: str = "", created_at: str = "") -> Sink:
    """The sink of a workflow's destination.

    ``origin`` distinguishes its documents from documents of the same path from another source; ``created_at`` is the
    time of the execution. Raises ``ConfigurationError`` for an unknown type.
    """
    if config.connection_type in API_CONNECTION_TYPES:
        return ApiSink()
    match config.connection_type:
        case "DATABASE":
            return DatabaseSink(config, origin, created_at)
        case "FILESYSTEM":
            return FileSystemSink(config, origin)
        case other:
            raise ConfigurationError(f"destination type {other!r} is not supported: use DATABASE, FILESYSTEM or API")


def read_metadata(folder: Path) -> dict[str, Any]:
    """METADATA.json of a file, ``{}`` where the file failed before it existed. Raises ``ToolResultInvalid``."""
    try:
        metadata: dict[str, Any] = msgspec.json.decode((folder / METADATA).read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ToolResultInvalid(f"{METADATA} of the file cannot be read: {error}") from error
    return metadata


def read_evidence(folder: Path, most: int = EVIDENCE_BYTES) -> dict[str, Any] | None:
    """The evidence for the result, none where the last tool left none or more than ``most`` bytes. Raises
    ``ToolResultInvalid``."""
    try:
        raw = (folder / EVIDENCE).read_bytes() if (folder / EVIDENCE).stat().st_size <= most else None
        evidence = None if raw is None else msgspec.json.decode(raw, type=DocumentEvidence)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ToolResultInvalid(f"{EVIDENCE} of the tool cannot be read: {error}") from error
    built: dict[str, Any] | None = msgspec.to_builtins(evidence)
    return built


def _metadata_of_failed(folder: Path) -> dict[str, Any]:
    # An unreadable METADATA.json may be why the file failed: its error is delivered in any case.
    try:
        return read_metadata(folder)
    except ToolResultInvalid:
        return {}


def read_result(folder: Path, result_bytes: int = RESULT_BYTES) -> Any:
    """The output of the last tool: a JSON value, or text. Raises ``ToolOutputTooLarge`` before it reads a result of
    more than ``result_bytes``, ``ToolResultInvalid``."""
    size = (folder / INFILE).stat().st_size
    if size > result_bytes:
        # The runner refuses it, too; a result that was kept from an earlier run may be from before the limit.
        raise ToolOutputTooLarge(
            f"the tool's result has {size:,} bytes, the limit is {result_bytes:,}: split the document, or raise "
            "TOOL_RESULT_BYTES"
        )
    steps = read_metadata(folder).get("tool_metadata") or [{}]
    raw = (folder / INFILE).read_bytes()
    if steps[-1].get("output_type") == "JSON":
        try:
            result = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ToolResultInvalid(f"the tool's result is not valid JSON: {error}") from error
        except RecursionError:
            result = too_deep = True
        else:
            too_deep = exceeds_depth(result, MAX_RESULT_DEPTH)
        if too_deep:
            raise ToolResultInvalid(f"the tool's result is nested more than {MAX_RESULT_DEPTH} levels deep")
        return result
    return raw.decode("utf-8", "replace")
