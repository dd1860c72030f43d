"""Results of an API's runs, kept until they expire. Runs with a destination keep theirs there."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select

from docfleet.backend.files import deliveries
from docfleet.backend.platform.db import Record, db_now
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import file_results
from docfleet.core.results import FileOutcome

_INSERT = insert(file_results).values(created_at=db_now())


def text_digest(text: str) -> str:
    """SHA-256 (hex) of a result's JSON text; the worker computes the same."""
    return hashlib.sha256(text.encode()).hexdigest()


def as_text(value: Any) -> str | None:
    """``value`` as JSON text; None for None."""
    return None if value is None else msgspec.json.encode(value).decode()


def keep(connection: Connection, execution: Record, outcomes: list[FileOutcome]) -> None:
    """Write the results of files that an API's run just finished; other runs have none."""
    if execution.api_deployment_id is None or not outcomes:
        return
    rows = [
        {
            "file_execution_id": outcome.file_execution_id,
            "execution_id": execution.id,
            "result": outcome.result,
            "metadata": outcome.metadata,
        }
        for outcome in outcomes
    ]
    connection.execute(_INSERT, rows)


def copy(connection: Connection, execution: Record, answered: list[tuple[dict[str, Any], Record]]) -> None:
    """Write the results of history rows for new file rows with the same content."""
    if not answered:
        return
    rows = [
        {
            "file_execution_id": row["id"],
            "execution_id": execution.id,
            "result": msgspec.json.decode(known.result),
            "metadata": _copied_metadata(execution, row, msgspec.json.decode(known._mapping["metadata"] or "{}")),
        }
        for row, known in answered
    ]
    connection.execute(insert(file_results).values(created_at=db_now()), rows)
    digests = {row["file_execution_id"]: text_digest(as_text(row["result"]) or "null") for row in rows}
    deliveries.note(connection, execution.id, digests)


def _copied_metadata(execution: Record, row: dict[str, Any], before: Any) -> dict[str, Any]:
    kept = {key: value for key, value in (before or {}).items() if key not in ("custom_data", "llm_profile_id")}
    return kept | {
        "workflow_id": execution.workflow_id,
        "execution_id": execution.id,
        "file_execution_id": row["id"],
        "source_name": row["file_name"],
        "source_hash": row["file_hash"],
        "organization_id": execution.organization_id,
        "tags": [tag["name"] for tag in execution.tags],
        "tool_count": len(kept.get("tool_metadata") or []),
        "from_file_history": True,
    }


def delete_expired(connection: Connection, older_than: float) -> int:
    """Delete the results of executions that ended more than ``older_than`` seconds ago. Returns their number."""
    old = select(executions.c.id).where(executions.c.finished_at < db_now() - older_than)
    return connection.execute(delete(file_results).where(file_results.c.execution_id.in_(old))).rowcount
