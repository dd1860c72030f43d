"""File history: the result of a file in earlier executions of its workflow.

One row per workflow and file (key and path). A row without path, as written by runs of an API, is valid for every
path. Rows older than the source's re-processing interval count as absent.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select

from docfleet.backend.platform.db import SECONDS_PER_DAY, Record, chunks, clean, db_now, upsert
from docfleet.backend.tables.files import file_history, identity
from docfleet.backend.tables.workflows import workflow_endpoints
from docfleet.core.ids import new_id
from docfleet.core.status import ExecutionStatus

_UNIT_SECONDS = {"days": SECONDS_PER_DAY, "months": 30 * SECONDS_PER_DAY}


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One finished file, to be counted. ``status`` is COMPLETED or ERROR."""

    organization_id: str
    workflow_id: str
    file_key: str
    file_path: str | None
    status: str
    content_hash: str = ""
    provider_file_uuid: str | None = None
    error: str | None = None
    result: str | None = None
    metadata: str | None = None


def reprocess_seconds(configuration: dict[str, Any]) -> float | None:
    """After how many seconds a file is processed again; None: never."""
    if configuration.get("fileReprocessingHandling") != "reprocess_after_interval":
        return None
    interval = configuration.get("reprocessInterval")
    unit = _UNIT_SECONDS.get(str(configuration.get("intervalUnit") or "days").lower(), SECONDS_PER_DAY)
    return float(interval) * unit if isinstance(interval, int | float) and interval > 0 else None


def _interval(connection: Connection, workflow_id: str) -> float | None:
    configuration = connection.scalar(
        select(workflow_endpoints.c.configuration).where(
            workflow_endpoints.c.workflow_id == workflow_id, workflow_endpoints.c.endpoint_type == "SOURCE"
        )
    )
    return reprocess_seconds(configuration or {})


def _fresh(connection: Connection, workflow_id: str) -> ColumnElement[bool]:
    seconds = _interval(connection, workflow_id)
    known = file_history.c.workflow_id == workflow_id
    return known if seconds is None else and_(known, file_history.c.modified_at >= db_now() - seconds)


def delete_expired(connection: Connection, workflow_id: str) -> None:
    """Delete rows older than the re-processing interval, so that their runs are not counted either."""
    seconds = _interval(connection, workflow_id)
    if seconds is not None:
        connection.execute(
            delete(file_history).where(
                file_history.c.workflow_id == workflow_id, file_history.c.modified_at < db_now() - seconds
            )
        )


def lookup(connection: Connection, workflow_id: str, files: list[tuple[str, str | None]]) -> dict[int, Record]:
    """The history rows of ``files`` (key, path), by position in the list; a file without history is left out."""
    fresh = _fresh(connection, workflow_id)
    identities = {identity(key, path) for key, path in files} | {identity(key, None) for key, _ in files}
    rows: dict[str, Record] = {}
    for part in chunks(sorted(identities)):
        for row in connection.execute(select(file_history).where(fresh, file_history.c.identity.in_(part))):
            rows[row.identity] = row
    by_position = {}
    for position, (key, path) in enumerate(files):
        past = rows.get(identity(key, path)) or rows.get(identity(key, None))
        if past is not None:
            by_position[position] = past
    return by_position


def find(connection: Connection, workflow_id: str, file_key: str, file_path: str | None) -> Record:
    """The history row of a file that was counted (``record``)."""
    own = (file_history.c.workflow_id == workflow_id, file_history.c.identity == identity(file_key, file_path))
    return connection.execute(select(file_history).where(*own)).one()


def by_content(connection: Connection, workflow_id: str, cache_key: str, file_path: str | None) -> Record | None:
    """The history row of this content (hash or key), the one at ``file_path`` first, then one without path."""
    same = or_(file_history.c.content_hash == cache_key, file_history.c.file_key == cache_key)
    statement = select(file_history).where(_fresh(connection, workflow_id), same)
    paths = [file_path, None] if file_path else [None]
    for path in paths:
        at = file_history.c.file_path.is_(None) if path is None else file_history.c.file_path == path
        row = connection.execute(statement.where(at).order_by(file_history.c.modified_at.desc()).limit(1)).first()
        if row is not None:
            return row
    if file_path:
        return None
    return connection.execute(statement.order_by(file_history.c.modified_at.desc()).limit(1)).first()


def delete_results(connection: Connection, workflow_id: str) -> None:
    """Delete the results kept for an API's callers: the workflow changed, so they are no longer valid answers."""
    connection.execute(
        delete(file_history).where(file_history.c.workflow_id == workflow_id, file_history.c.result.is_not(None))
    )


def record(connection: Connection, entries: list[HistoryEntry]) -> None:
    """Count finished files: a new row, or one more run on the existing row."""
    counted = [e for e in entries if e.status in (ExecutionStatus.COMPLETED.value, ExecutionStatus.ERROR.value)]
    if not counted:
        return
    insert = upsert(connection, file_history)
    replaced = ("status", "content_hash", "provider_file_uuid", "error", "result", "metadata", "modified_at")
    statement = insert.on_conflict_do_update(
        index_elements=["workflow_id", "identity"],
        set_={"execution_count": file_history.c.execution_count + 1}
        | {name: getattr(insert.excluded, name) for name in replaced},
    )
    now = connection.scalar(select(db_now()))
    rows = [
        {
            "id": new_id(),
            "organization_id": entry.organization_id,
            "workflow_id": entry.workflow_id,
            "identity": identity(entry.file_key, entry.file_path),
            "file_key": clean(entry.file_key),
            "file_path": clean(entry.file_path),
            "content_hash": clean(entry.content_hash),
            "provider_file_uuid": clean(entry.provider_file_uuid),
            "status": entry.status,
            "execution_count": 1,
            "error": clean(entry.error),
            "result": clean(entry.result),
            "metadata": clean(entry.metadata),
            "created_at": now,
            "modified_at": now,
        }
        for entry in counted
    ]
    # In the same order everywhere, so that two executions that finish the same files cannot deadlock.
    connection.execute(statement, sorted(rows, key=lambda row: str(row["identity"])))
