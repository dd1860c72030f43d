"""Files that a batch adds to its execution: batches of another orchestrator, which registered nothing.

The listing of such an execution stays open (``repository.is_open_listing``): nobody knows how many batches come. It is
closed by the callback of its batches, by the start of an orchestrator of ours, or by the sweep once nothing happens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sqlalchemy import Connection, insert, or_, select, update

from docfleet.backend.executions import register, repository, state
from docfleet.backend.platform.db import Record, chunks, clean, db_now
from docfleet.backend.quotas import admission
from docfleet.backend.settings import BackendSettings
from docfleet.backend.tables.executions import executions, registered_pages
from docfleet.backend.tables.files import file_executions as files
from docfleet.backend.tables.files import identity
from docfleet.backend.usage import repository as usage
from docfleet.core.batch_calls import AddRequest, AddResponse
from docfleet.core.errors import InvalidInput
from docfleet.core.files import FileHashData
from docfleet.core.status import ExecutionStatus, SkipReason

MAX_FILES = 1000


def add(
    connection: Connection, organization_id: str, execution_id: str, request: AddRequest, settings: BackendSettings
) -> AddResponse:
    """Write the rows of the files that have none, and answer the ids of all of them; an empty one is that of a file
    which is left out. Raises ``NotFound``, ``InvalidInput``."""
    if len(request.files) > MAX_FILES:
        raise InvalidInput(f"at most {MAX_FILES} files are added at once")
    execution = repository.find(connection, organization_id, execution_id)
    if request.workflow_id != execution.workflow_id:
        raise InvalidInput(f"workflow {request.workflow_id!r:.80} is not the one of execution {execution_id}")
    register.lock_workflow(connection, execution.workflow_id)
    execution = repository.lock_execution(connection, organization_id, execution_id)
    answer = AddResponse(status=ExecutionStatus(execution.status))
    if repository.is_ending(execution):
        answer.stop = True
        return answer
    known = _known(connection, execution, request.files)
    fresh = {identity(file.file_key, file.file_path): file for file in request.files if _row_of(known, file) is None}
    elsewhere = register.elsewhere(connection, execution, list(fresh.values()))
    if elsewhere:
        answer.skipped = {SkipReason.ACTIVE_ELSEWHERE.value: len(elsewhere)}
    new = [file for key, file in fresh.items() if key not in elsewhere]
    admitted = _admitted(connection, execution, new, settings)
    if len(admitted) < len(new):
        answer.skipped[SkipReason.OVER_QUOTA.value] = len(new) - len(admitted)
    processed = sum(register.rejection_of(file) is None for file in admitted)
    _write(connection, execution, admitted, answer.skipped, processed)
    known = _known(connection, execution, request.files)
    rows = [_row_of(known, file) for file in request.files]
    answer.file_execution_ids = ["" if row is None else row.id for row in rows]
    usage.count(connection, organization_id, files=processed)
    return answer


def _admitted(
    connection: Connection, execution: Record, new: list[FileHashData], settings: BackendSettings
) -> list[FileHashData]:
    """The new files that the organization's quotas have room for. Those of a call were admitted by its creation."""
    if not new or execution.api_deployment_id is not None:
        return new
    room = admission.room(connection, settings, execution.organization_id)
    if room == math.inf:
        return new
    admitted: list[FileHashData] = []
    for file in new:
        is_processed = register.rejection_of(file) is None
        if not is_processed or room > 0:
            admitted.append(file)
            room -= is_processed
    return admitted


def _known(connection: Connection, execution: Record, page: list[FileHashData]) -> dict[str, Record]:
    """Rows of the execution by identity, and by path: another orchestrator may know other facts about the same file."""
    known: dict[str, Record] = {}
    for part in chunks(page):
        identities = [identity(file.file_key, file.file_path) for file in part]
        paths = [clean(file.file_path, register.MAX_PATH_LENGTH) for file in part]
        same = or_(files.c.identity.in_(identities), files.c.file_path.in_(paths))
        for row in connection.execute(select(files).where(files.c.execution_id == execution.id, same)):
            known[row.identity] = known[f"path:{row.file_path}"] = row
    return known


def _row_of(known: dict[str, Record], file: FileHashData) -> Record | None:
    path = clean(file.file_path, register.MAX_PATH_LENGTH)
    return known.get(identity(file.file_key, file.file_path)) or known.get(f"path:{path}")


def _write(
    connection: Connection, execution: Record, new: Sequence[FileHashData], skipped: dict[str, int], processed: int
) -> None:
    total = execution.total_files + len(new)
    if new:
        now = connection.scalar(select(db_now()))
        first = execution.total_files + 1
        rows = [register.row_of(execution, file, number, now) for number, file in enumerate(new, start=first)]
        connection.execute(insert(files), rows)
    state.move_execution(connection, execution.id, ExecutionStatus.EXECUTING)
    counts = {
        reason: execution.skipped.get(reason, 0) + skipped.get(reason, 0) for reason in execution.skipped | skipped
    }
    reserved = max(0, execution.reserved_files - processed)
    fields = {"total_files": total, "skipped": counts, "progress_at": db_now(), "modified_at": db_now()}
    fields["reserved_files"] = reserved
    if execution.dispatched_at is None and not _is_being_listed(connection, execution.id):
        fields["dispatched_at"] = db_now()
    connection.execute(update(executions).where(executions.c.id == execution.id).values(**fields))


def _is_being_listed(connection: Connection, execution_id: str) -> bool:
    """Whether an orchestrator of ours has registered a page, and will start the execution."""
    page = select(registered_pages.c.page).where(registered_pages.c.execution_id == execution_id).limit(1)
    return connection.scalar(page) is not None
