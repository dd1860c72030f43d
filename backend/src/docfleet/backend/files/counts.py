"""Counting the files of an execution from their rows."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, bindparam, func, select, text

from docfleet.backend.tables.files import OPEN_FILE
from docfleet.backend.tables.files import file_executions as files
from docfleet.core.status import ExecutionStatus

# Statements are built once: building one costs several times as much as SQLite needs to execute it.
_COUNT = (
    select(files.c.status, func.count())
    .where(files.c.execution_id == bindparam("execution_id"))
    .group_by(files.c.status)
)
_OPEN = (
    select(func.count()).select_from(files).where(files.c.execution_id == bindparam("execution_id"), text(OPEN_FILE))
)


class Counts(msgspec.Struct, frozen=True):
    """Files of an execution by status, counted from its rows."""

    pending: int = 0
    executing: int = 0
    completed: int = 0
    stopped: int = 0
    error: int = 0

    @property
    def total(self) -> int:
        """All files."""
        return self.open + self.completed + self.stopped + self.error

    @property
    def open(self) -> int:
        """Files that are not final."""
        return self.pending + self.executing

    def by_status(self) -> dict[str, int]:
        """``{"PENDING": n, ...}`` with every status."""
        return {status.value: int(getattr(self, status.value.lower())) for status in ExecutionStatus}


def count_files(connection: Connection, execution_id: str) -> Counts:
    """Count the files of an execution by status."""
    rows = connection.execute(_COUNT, {"execution_id": execution_id})
    return Counts(**{status.lower(): number for status, number in rows})


def count_open_files(connection: Connection, execution_id: str) -> int:
    """How many files are not final."""
    return connection.scalar(_OPEN, {"execution_id": execution_id}) or 0
