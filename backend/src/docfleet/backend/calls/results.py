"""The results of an API's run as its caller gets them: one item for each file of the call, in its order."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from docfleet.backend.calls.options import Include
from docfleet.backend.executions.finalize import STOPPED_ON_REQUEST
from docfleet.backend.platform.db import Record, db_now
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import file_executions as files
from docfleet.backend.tables.files import file_results
from docfleet.backend.usage import repository as usage
from docfleet.core.status import ExecutionStatus

_EVIDENCE = "evidence"
_HIGHLIGHT = "highlight_data"
_ROWS = (
    select(files, file_results.c.result, file_results.c.metadata)
    .outerjoin(file_results, file_results.c.file_execution_id == files.c.id)
    .where(files.c.execution_id == bindparam("execution"))
)
_ACKNOWLEDGE = (
    update(executions)
    .where(executions.c.id == bindparam("execution"), executions.c.result_acknowledged.is_(False))
    .values(result_acknowledged=True, modified_at=db_now())
)
_AGE = select(db_now() - executions.c.finished_at).where(executions.c.id == bindparam("execution"))


def items(connection: Connection, execution: Record, include: Include) -> list[dict[str, Any]]:
    """The items of a final execution. A file that was sent under two names has two."""
    rows = {row.file_key: row for row in connection.execute(_ROWS, {"execution": execution.id})}
    return [
        _item(connection, execution, entry, rows.get(entry["file_hash"]), include)
        for entry in execution.upload_manifest or []
    ]


def _item(
    connection: Connection, execution: Record, entry: dict[str, Any], row: Record | None, include: Include
) -> dict[str, Any]:
    error = _error(execution, entry, row)
    result = None if error is not None or row is None else row.result
    metadata = {} if row is None else dict(row._mapping["metadata"] or {})
    base = {
        "source_name": entry["name"],
        "source_hash": entry["file_hash"],
        "file_execution_id": "" if row is None else row.id,
        "total_elapsed_time": None if row is None else round(row.execution_time, 3),
        "workflow_id": execution.workflow_id,
        "execution_id": execution.id,
        "workflow_start_time": execution.created_at,
        "organization_id": execution.organization_id,
        "tags": [tag["name"] for tag in execution.tags],
    }
    if entry["same_as"] is not None:
        metadata |= {name: entry["name"] for name in ("source_name", "source_path") if name in metadata}
    if error is not None:
        base |= {"error_occurred": True, "processing_failed": True}
    custom_data = (execution.options or {}).get("custom_data")
    if custom_data is not None:
        base["custom_data"] = custom_data
    metadata = base | {key: value for key, value in metadata.items() if value is not None}
    if row is not None and (include.metadata or include.metrics):
        metadata["usage"] = {
            **usage.totals(connection, execution.organization_id, row.id),
            "file_execution_id": row.id,
        }
    item = {
        "file": entry["name"],
        "file_execution_id": "" if row is None else row.id,
        "status": "Failed" if error is not None else "Success",
        "result": result,
        "error": error,
        "metadata": metadata,
    }
    return _shown(item, include)


def _error(execution: Record, entry: dict[str, Any], row: Record | None) -> str | None:
    """Why the file has no result; None when it has one."""
    if row is not None and row.status == ExecutionStatus.COMPLETED.value:
        return None
    stopped = execution.status == ExecutionStatus.STOPPED.value
    if row is None:
        reason = execution.error_message or "the execution ended before the file was processed"
        return entry["rejection"] or (STOPPED_ON_REQUEST if stopped else reason)
    if row.status == ExecutionStatus.STOPPED.value:
        return STOPPED_ON_REQUEST
    return row.error or "the file failed without a cause"


def _shown(item: dict[str, Any], include: Include) -> dict[str, Any]:
    """The item with the requested parts, and nothing more."""
    result, metadata = item["result"], item["metadata"]
    inner = result.get("metadata") if isinstance(result, dict) else None
    inner = dict(inner) if isinstance(inner, dict) else {}
    text = inner.pop("extracted_text", None) or metadata.pop("extracted_text", None)
    metadata.pop("extracted_text", None)
    for one in (inner, metadata):
        one.pop(_HIGHLIGHT, None)
    if not include.metadata:
        metadata.pop(_EVIDENCE, None)
    if isinstance(result, dict):
        kept = {key: value for key, value in result.items() if key not in ("metadata", "metrics")}
        if include.metadata:
            kept["metadata"] = inner
        if include.metrics:
            kept["metrics"] = result.get("metrics") or {}
        item["result"] = kept
    if include.extracted_text:
        item["extracted_text"] = text
    return item


def acknowledge(connection: Connection, execution: Record) -> bool:
    """Record that the results were read; True for the first reader."""
    return connection.execute(_ACKNOWLEDGE, {"execution": execution.id}).rowcount == 1


def expired(connection: Connection, execution: Record, ttl_seconds: int) -> bool:
    """Whether a final execution's results have expired."""
    age = connection.scalar(_AGE, {"execution": execution.id})
    return age is not None and age > ttl_seconds
