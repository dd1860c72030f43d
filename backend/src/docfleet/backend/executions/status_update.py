"""Status updates that the original's workers send, along the same state machine."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec
from sqlalchemy import Connection, update

from docfleet.backend.executions import finalize, repository, state
from docfleet.backend.files import listing
from docfleet.backend.platform.db import Record, clean
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import file_executions as files
from docfleet.core.errors import InvalidInput
from docfleet.core.status import FINAL, ExecutionStatus

Count = Annotated[int, msgspec.Meta(ge=0)]


class StatusUpdate(msgspec.Struct, kw_only=True):
    """A new status of an execution. The counts are checked and then ignored: they are counted from rows."""

    status: ExecutionStatus
    error_message: str | None = None
    error_code: str | None = None
    total_files: Count | None = None
    successful_files: Count | None = None
    failed_files: Count | None = None
    attempts: Count | None = None
    execution_time: Annotated[float, msgspec.Meta(ge=0)] | None = None
    cascade_terminal_files: bool = False

    json_rules: ClassVar = (
        {
            "if": {"anyOf": [{"required": ["successful_files"]}, {"required": ["failed_files"]}]},
            "then": {
                "required": ["total_files"],
                "properties": {"total_files": {"type": "integer"}},
                "description": "successful_files and failed_files together are at most total_files",
            },
        },
        {
            "if": {"required": ["cascade_terminal_files"], "properties": {"cascade_terminal_files": {"const": True}}},
            "then": {"properties": {"status": {"enum": sorted(FINAL)}}},
        },
    )

    def __post_init__(self) -> None:
        done = [number for number in (self.successful_files, self.failed_files) if number is not None]
        if done and self.total_files is None:
            raise ValueError("successful_files and failed_files need total_files")
        if self.total_files is not None and sum(done) > self.total_files:
            raise ValueError("successful_files and failed_files are more than total_files")
        if self.cascade_terminal_files and not self.status.is_final:
            raise ValueError("cascade_terminal_files needs a final status")


class FileStatusUpdate(msgspec.Struct, kw_only=True):
    """A new status of one file; ``execution_time`` in seconds."""

    status: ExecutionStatus
    error_message: str | None = None
    execution_time: Annotated[float, msgspec.Meta(ge=0)] | None = None
    result: Any = None


def update_execution(
    connection: Connection, organization_id: str, execution_id: str, request: StatusUpdate
) -> dict[str, Any]:
    """Move the execution; the answer has ``status`` ``updated``, or ``skipped`` with a ``reason``.

    Raises ``NotFound``.
    """
    execution = repository.lock_execution(connection, organization_id, execution_id)
    reason = None
    if repository.is_final(execution):
        reason = "already_final"
    elif not _move(connection, execution, request):
        reason = "files_open" if request.status is ExecutionStatus.COMPLETED else "not_allowed"
    elif request.attempts is not None and request.attempts > execution.attempts:
        connection.execute(
            update(executions).where(executions.c.id == execution_id).values(attempts=executions.c.attempts + 1)
        )
    after = repository.find(connection, organization_id, execution_id)
    answer = {"status": "updated" if reason is None else "skipped", "execution_id": execution_id}
    return {**answer, "new_status": after.status, **({} if reason is None else {"reason": reason})}


def _move(connection: Connection, execution: Record, request: StatusUpdate) -> bool:
    match request.status:
        case ExecutionStatus.ERROR:
            cause = request.error_message or "failed; the worker gave no cause"
            return finalize.fail(connection, execution, cause, request.error_code)
        case ExecutionStatus.STOPPED:
            return finalize.request_stop(connection, execution)
        case ExecutionStatus.COMPLETED:
            if request.cascade_terminal_files:
                state.move_files(connection, execution.id, ExecutionStatus.COMPLETED)
            return finalize.end_if_done(connection, execution, require_dispatched=False)
        case ExecutionStatus.EXECUTING if execution.status == ExecutionStatus.EXECUTING.value:
            return True
        case _:
            fields = {} if request.error_message is None else {"error_message": clean(request.error_message, 2000)}
            return state.move_execution(connection, execution.id, request.status, **fields)


def update_file(
    connection: Connection, organization_id: str, file_execution_id: str, request: FileStatusUpdate
) -> dict[str, Any]:
    """Move the file. A final status absorbs; the error is written only when it is given.

    Raises ``NotFound``, ``InvalidInput``.
    """
    file = listing.find(connection, organization_id, file_execution_id)
    execution = repository.lock_execution(connection, organization_id, file.execution_id)
    if request.status is ExecutionStatus.PENDING:
        raise InvalidInput("a file does not go back to PENDING")
    fields: dict[str, Any] = {}
    if request.error_message is not None:
        fields["error"] = clean(request.error_message)
    if request.execution_time is not None:
        fields["execution_time"] = request.execution_time
    moved = state.move_files(connection, file.execution_id, request.status, files.c.id == file.id, **fields)
    after = listing.find(connection, organization_id, file_execution_id)
    again = not moved and after.status == request.status.value and not request.status.is_final
    answer: dict[str, Any] = {"status": "updated", "file_execution_id": file_execution_id}
    if not moved and not again:
        answer |= {"status": "skipped", "reason": "already_final"}
    elif request.status.is_final:
        finalize.end_if_done(connection, execution)
    answer["data"] = {"status": after.status, "error_message": after.error, "result": request.result}
    return answer
