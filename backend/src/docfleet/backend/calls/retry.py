"""Retry: the failed and stopped files of an ended execution, as a new execution.

The rows are copied as they were registered; the source is not listed again. A file is left out, and counted under its
reason, when it has been completed or is being processed elsewhere. The number of its failures does not count, because a
user requested the retry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from docfleet.backend.calls.staging import Staging
from docfleet.backend.executions import register, repository, service
from docfleet.backend.executions.service import Created, NewExecution
from docfleet.backend.files import history
from docfleet.backend.platform.db import Database, Record, chunks, db_now
from docfleet.backend.platform.encryption import Cipher
from docfleet.backend.settings import BackendSettings
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import file_executions as files
from docfleet.core.errors import Conflict
from docfleet.core.files import FileHashData
from docfleet.core.status import ExecutionStatus, SkipReason

PAGE = 500
_RETRYABLE = files.c.status.in_((ExecutionStatus.ERROR.value, ExecutionStatus.STOPPED.value))
_REASONS = {
    SkipReason.ALREADY_PROCESSED: "succeeded in a later execution",
    SkipReason.ACTIVE_ELSEWHERE: "are under way in another execution",
}


def retry(
    database: Database,
    cipher: Cipher,
    settings: BackendSettings,
    staging: Staging,
    organization_id: str,
    execution_id: str,
    key: str | None,
) -> Created:
    """Write the new execution; committed when this returns. Nothing is sent. ``key`` is the idempotency key.

    Raises ``NotFound``, and ``Conflict`` with the reason when there is nothing to retry or the execution has not ended.
    ``QuotaExceeded`` when the organization's quotas have no room for its files.
    """
    with database.reading() as connection:
        old = repository.find(connection, organization_id, execution_id)
    if not repository.is_final(old):
        raise Conflict(
            f"execution {old.id} is {old.status}: only an ended execution can be retried; wait for its end, or stop it"
        )
    new_execution = NewExecution(
        workflow_id=old.workflow_id,
        pipeline_id=old.pipeline_id,
        use_file_history=old.use_file_history,
        tags=[tag["name"] for tag in old.tags],
        mode=old.execution_mode,
        log_events_id=old.execution_log_id or None,
        idempotency_key=key,
        api_deployment_id=old.api_deployment_id,
        options=old.options,
        retry_of=old.id,
    )

    def fill(connection: Connection, new: Record) -> Record:
        return _fill(connection, staging, old, new)

    return service.create(database, cipher, settings, organization_id, new_execution, fill)


def _fill(connection: Connection, staging: Staging, old: Record, new: Record) -> Record:
    register.lock_workflow(connection, old.workflow_id)
    descendants = _descendants(connection, old)
    skipped: Counter[str] = Counter()
    paths: dict[str, str | None] = {}
    total, reserved, now = 0, 0, connection.scalar(select(db_now()))
    for page in _pages(connection, old):
        excluded = _exclusions(connection, old, new, descendants, page)
        skipped.update(reason.value for reason in excluded.values())
        retried = [msgspec.convert(row.data, FileHashData) for row in page if row.identity not in excluded]
        if old.api_deployment_id is not None:
            retried = _link_uploads(staging, old, new, retried)
            paths |= {file.file_hash: None if file.rejection else file.file_path for file in retried}
        rows = [register.row_of(new, file, number, now) for number, file in enumerate(retried, start=total + 1)]
        total += len(rows)
        reserved += sum(row["status"] == ExecutionStatus.PENDING.value for row in rows)
        if rows:
            connection.execute(insert(files), rows)
    if total == 0:
        raise Conflict(_nothing_to_retry(old, skipped))
    values = {"total_files": total, "skipped": dict(skipped), "reserved_files": reserved}
    if old.api_deployment_id is not None:
        values["upload_manifest"] = _manifest(old.upload_manifest or [], paths)
    return connection.execute(
        update(executions).where(executions.c.id == new.id).values(**values).returning(executions)
    ).one()


def _link_uploads(staging: Staging, old: Record, new: Record, retried: list[FileHashData]) -> list[FileHashData]:
    """An API's files with their paths in the uploads of the new execution. A refused file has none."""
    hashes = [file.file_hash for file in retried if not file.rejection]
    paths = staging.link(old.organization_id, old.workflow_id, old.id, new.id, hashes)
    return [msgspec.structs.replace(file, file_path=paths.get(file.file_hash, file.file_path)) for file in retried]


def _manifest(old_items: list[dict[str, Any]], paths: dict[str, str | None]) -> list[dict[str, Any]]:
    """The items of a call that are retried, in the call's order; ``paths`` are the staged files by hash."""
    items: list[dict[str, Any]] = []
    first: dict[str, int] = {}
    for item in old_items:
        file_hash = item["file_hash"]
        if file_hash in paths:
            known = first.setdefault(file_hash, len(items))
            same_as = None if known == len(items) else known
            items.append(item | {"staged": paths[file_hash], "same_as": same_as})
    return items


def _pages(connection: Connection, old: Record) -> Iterator[Sequence[Record]]:
    after = 0
    columns = select(files.c.file_number, files.c.identity, files.c.file_key, files.c.file_path, files.c.data)
    while page := connection.execute(
        columns.where(files.c.execution_id == old.id, _RETRYABLE, files.c.file_number > after)
        .order_by(files.c.file_number)
        .limit(PAGE)
    ).all():
        yield page
        after = page[-1].file_number


def _descendants(connection: Connection, old: Record) -> list[str]:
    """The retries of the execution, and the retries of those."""
    descendants: list[str] = []
    rows: Sequence[Record] = [old]
    while ids := [retried for ids in repository.retries(connection, rows).values() for retried in ids]:
        descendants += ids
        rows = [
            row
            for part in chunks(ids)
            for row in connection.execute(select(executions).where(executions.c.id.in_(part)))
        ]
    return descendants


def _exclusions(
    connection: Connection, old: Record, new: Record, descendants: list[str], page: Sequence[Record]
) -> dict[str, SkipReason]:
    """Why files of the page are not retried, by identity."""
    identities = [row.identity for row in page]
    reasons: dict[str, SkipReason] = {}
    if old.api_deployment_id is None:
        for identity in register.active_elsewhere(connection, new, identities):
            reasons[identity] = SkipReason.ACTIVE_ELSEWHERE
        if old.use_file_history:
            past = history.lookup(connection, old.workflow_id, [(row.file_key, row.file_path) for row in page])
            for position, known in past.items():
                if known.status == ExecutionStatus.COMPLETED.value:
                    reasons[identities[position]] = SkipReason.ALREADY_PROCESSED
    for execution_id in descendants:
        # The path of an API's file differs in each execution.
        column = files.c.identity if old.api_deployment_id is None else files.c.file_key
        identity_of = {getattr(row, column.name): row.identity for row in page}
        for part in chunks(list(identity_of)):
            statement = select(column, files.c.status).where(files.c.execution_id == execution_id, column.in_(part))
            for name, status in connection.execute(statement):
                if status == ExecutionStatus.COMPLETED.value:
                    reasons[identity_of[name]] = SkipReason.ALREADY_PROCESSED
                elif not ExecutionStatus(status).is_final:
                    reasons.setdefault(identity_of[name], SkipReason.ACTIVE_ELSEWHERE)
    return reasons


def _nothing_to_retry(old: Record, skipped: Counter[str]) -> str:
    if skipped:
        parts = [f"{count} {_REASONS[SkipReason(reason)]}" for reason, count in sorted(skipped.items())]
        return f"nothing to retry: of the failed and stopped files of execution {old.id}, {' and '.join(parts)}"
    if old.total_files == 0:
        cause = f" ({old.error_message})" if old.error_message else ""
        return f"nothing to retry: execution {old.id} registered no files{cause}; run the workflow again"
    return f"nothing to retry: no file of execution {old.id} failed or was stopped"
