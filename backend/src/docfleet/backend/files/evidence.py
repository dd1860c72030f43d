"""The evidence for results. An API's run has it in the metadata of its result, other runs have a file of it below the
storage root, which is deleted with the execution."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import structlog
from sqlalchemy import Connection, select

from docfleet.backend.files import listing
from docfleet.backend.tables.files import file_results
from docfleet.core.errors import NotFound, UnsafePath
from docfleet.core.evidence import DocumentEvidence, read_evidence
from docfleet.core.management.executions import FileEvidence
from docfleet.core.status import ExecutionStatus
from docfleet.core.storage import evidence_folder, safe_segment

log = structlog.get_logger(__name__)


def find(
    connection: Connection, root: str | None, organization_id: str, execution_id: str, file_execution_id: str
) -> FileEvidence:
    """The evidence for the result of a file. Raises ``NotFound`` with the cause."""
    row = listing.find(connection, organization_id, file_execution_id)
    if row.execution_id != execution_id:
        raise NotFound(f"file execution {file_execution_id} is not one of execution {execution_id}")
    if row.status != ExecutionStatus.COMPLETED.value:
        raise NotFound(f"the file has no result: it is {row.status}")
    evidence = _of_result(connection, file_execution_id) or _of_file(root, organization_id, execution_id, row.id)
    if evidence is None:
        raise NotFound(
            "there is no evidence for this file: its last tool reported none, or the result has expired; "
            "field_extractor reports it with the setting evidence"
        )
    return FileEvidence(
        execution_id=execution_id, file_execution_id=file_execution_id, name=row.file_name, evidence=evidence
    )


def _of_result(connection: Connection, file_execution_id: str) -> DocumentEvidence | None:
    metadata = connection.scalar(
        select(file_results.c.metadata).where(file_results.c.file_execution_id == file_execution_id)
    )
    try:
        return msgspec.convert((metadata or {}).get("evidence"), DocumentEvidence | None)
    except msgspec.ValidationError as error:
        log.warning("evidence.unreadable", file_execution_id=file_execution_id, error=str(error))
        return None


def _of_file(
    root: str | None, organization_id: str, execution_id: str, file_execution_id: str
) -> DocumentEvidence | None:
    if root is None:
        return None
    try:
        folder = evidence_folder(Path(root), organization_id, execution_id)
        return read_evidence((folder / f"{safe_segment(file_execution_id)}.json").read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, UnsafePath, msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("evidence.unreadable", file_execution_id=file_execution_id, error=str(error))
        return None


def delete(root: str | None, organization_id: str, execution_id: str) -> None:
    """Delete the evidence of an execution; harmless when there is none."""
    if root is None:
        return
    try:
        shutil.rmtree(evidence_folder(Path(root), organization_id, execution_id), ignore_errors=True)
    except UnsafePath as error:
        log.warning("evidence.unreadable", execution_id=execution_id, error=str(error))
