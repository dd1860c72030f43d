"""The archive: logs of executions that ended long ago, as compressed JSON lines below the storage root.

A file is complete or not there (another name, flushed, renamed). Its rows are deleted only then, and only when no line
was added meanwhile. If a process dies in between, the next sweep repeats the work. Files are deleted by their age.
"""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from docfleet.backend.logs import repository
from docfleet.backend.logs.repository import EVERYTHING, LogFilter
from docfleet.backend.platform.db import Database
from docfleet.core.errors import UnsafePath
from docfleet.core.faults import point
from docfleet.core.management.logs import LogLine
from docfleet.core.status import FINAL
from docfleet.core.storage import LOGS, archived_log

log = structlog.get_logger(__name__)

MAX_EXECUTIONS = 50
"""The most executions of one sweep; the next one continues."""
PAGE_LINES = 1000
_FINAL = sorted(status.value for status in FINAL)


def archive(database: Database, root: str | None, seconds: float) -> int:
    """Move the logs of executions that ended more than ``seconds`` ago into files. Returns their number. Without a
    storage ``root`` none is moved."""
    if root is None:
        return 0
    with database.reading() as connection:
        due = repository.archivable(connection, seconds, MAX_EXECUTIONS, _FINAL)
    moved = 0
    for row in due:
        try:
            path = archived_log(Path(root), row.organization_id, row.execution_id)
            _write(database, path, row.execution_id, row.last_sequence)
        except (OSError, UnsafePath) as error:
            log.error("logs.not_archived", execution_id=row.execution_id, error=str(error))
            continue
        point("archive.written")
        with database.writing() as connection:
            moved += repository.delete_archived(connection, row.execution_id, row.last_sequence)
        point("archive.done")
    if moved:
        log.info("logs.archived", executions=moved)
    return moved


def _write(database: Database, path: Path, execution_id: str, last: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed:
                for page in rows(database, execution_id, EVERYTHING, 0):
                    for line in page:
                        if line.sequence <= last:
                            packed.write(msgspec.json.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _flush_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rows(database: Database, execution_id: str, log_filter: LogFilter, after: int) -> Iterator[list[LogLine]]:
    """The lines that are still in the database, in pages, each read in a transaction of its own."""
    while True:
        with database.reading() as connection:
            page = repository.page(connection, execution_id, after=after, limit=PAGE_LINES, log_filter=log_filter)
        if page:
            yield page
            after = page[-1].sequence
        if len(page) < PAGE_LINES:
            return


def lines(path: Path, log_filter: LogFilter, after: int) -> Iterator[LogLine]:
    """The lines of an archived log; none when it was deleted for its age."""
    decoder = msgspec.json.Decoder(LogLine)
    try:
        with gzip.open(path, "rb") as file:
            for text in file:
                line = decoder.decode(text)
                if line.sequence > after and log_filter.matches(line):
                    yield line
    except FileNotFoundError:
        return


def delete_old(root: str | None, seconds: float) -> int:
    """Delete archived logs that were written more than ``seconds`` ago, and unfinished files of dead processes.
    Returns their number. 0 seconds: no logs are deleted."""
    if root is None:
        return 0
    old, deleted = time.time() - seconds, 0
    for path in Path(root, LOGS).glob("*/*/*"):
        limit = time.time() - 3600 if path.suffix == ".part" else old if seconds > 0 else 0.0
        try:
            if path.lstat().st_mtime < limit:
                path.unlink()
                deleted += 1
        except OSError:
            continue  # another process was faster
    return deleted
