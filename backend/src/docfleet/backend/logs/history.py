"""The log of one execution, wherever it is stored: in rows at first, in a file of the archive later."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import msgspec

from docfleet.backend.logs import archive, repository
from docfleet.backend.logs.repository import EVERYTHING, LogFilter
from docfleet.backend.platform.db import Database
from docfleet.core.management.logs import LogLine
from docfleet.core.status import ExecutionStatus
from docfleet.core.storage import archived_log

MAX_CHUNK_BYTES = 1024 * 1024
"""The most bytes of lines as JSON. A frame waits in memory for its reader, and hundreds of readers may be slow."""


class LogChunk(msgspec.Struct, frozen=True):
    """One read of the log: ``lines``, the ``position`` up to which it is read, whether there is ``more`` at once, and
    the ``status`` of the execution."""

    lines: list[LogLine]
    position: int
    more: bool
    status: ExecutionStatus
    archived: bool


class History:
    """An execution's log. Raises ``NotFound`` when there is no such execution in the organization."""

    def __init__(self, database: Database, root: str | None, organization_id: str, execution_id: str) -> None:
        self._database = database
        self._root = root
        self._organization_id = organization_id
        self.execution_id = execution_id
        with database.reading() as connection:
            repository.execution_status(connection, organization_id, execution_id)

    def page(self, after: int, limit: int, log_filter: LogFilter = EVERYTHING) -> list[LogLine]:
        """At most ``limit`` lines after number ``after``."""
        with self._database.reading() as connection:
            lines = repository.page(connection, self.execution_id, after=after, limit=limit, log_filter=log_filter)
            if lines or not repository.archived(connection, self.execution_id):
                return lines
        return list(itertools.islice(self._archived(log_filter, after), limit))

    def pages(self, after: int = 0, log_filter: LogFilter = EVERYTHING) -> Iterator[list[LogLine]]:
        """All lines after number ``after``, in pages; a file is read once."""
        for page in archive.rows(self._database, self.execution_id, log_filter, after):
            yield page
            after = page[-1].sequence
        if self.is_archived():
            for lines in itertools.batched(self._archived(log_filter, after), archive.PAGE_LINES):
                yield list(lines)

    def read(self, after: int, limit: int, log_filter: LogFilter = EVERYTHING) -> LogChunk:
        """The lines after number ``after``, for a reader that follows. Raises ``NotFound`` once the execution is
        deleted.

        The status is read first. So a final status without further lines means that no line will follow.
        """
        with self._database.reading() as connection:
            status = repository.execution_status(connection, self._organization_id, self.execution_id)
            last, archived = repository.last(connection, self.execution_id)
            lines = repository.page(connection, self.execution_id, after=after, limit=limit, log_filter=log_filter)
        if archived:
            lines = list(itertools.islice(self._archived(log_filter, after), limit))
        fitting = _fitting(lines)
        more = len(lines) == limit or len(fitting) < len(lines)
        lines = fitting
        # Lines that the filter leaves out are skipped for good: all lines up to ``last`` are committed.
        position = lines[-1].sequence if more else max(after, last, *(line.sequence for line in lines[-1:]))
        return LogChunk(lines, position, more, status, archived)

    def is_archived(self) -> bool:
        """Whether its lines are in a file, and none is added any more."""
        with self._database.reading() as connection:
            return repository.archived(connection, self.execution_id)

    def _archived(self, log_filter: LogFilter, after: int) -> Iterator[LogLine]:
        if self._root is None:
            return iter(())
        return archive.lines(
            archived_log(Path(self._root), self._organization_id, self.execution_id), log_filter, after
        )


def _fitting(lines: list[LogLine]) -> list[LogLine]:
    size = 0
    for count, line in enumerate(lines):
        size += len(msgspec.json.encode(line))
        if size > MAX_CHUNK_BYTES and count:
            return lines[:count]
    return lines
