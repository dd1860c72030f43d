"""Connectors in memory: the same behaviour without a disk or a server, for tests."""

from __future__ import annotations

import hashlib
import io
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, ClassVar, Literal

from docfleet.connectors.base import (
    DOCUMENT_COLUMN,
    FILE_EXECUTION_COLUMN,
    ColumnMode,
    ConnectorInfo,
    ConnectorMode,
    DeliveryReceipt,
    DeliveryRow,
    ForkGuard,
    Ignore,
    OnChange,
    OnSkip,
    SourceEntry,
    StoredRow,
    TableSettings,
    WriteFence,
)
from docfleet.connectors.columns import ColumnKind, ColumnType, column_kind, fit
from docfleet.connectors.databases.trial import try_writing
from docfleet.connectors.paths import encode_name, file_parts, path_parts
from docfleet.connectors.rows import (
    SPLIT_COLUMNS_KEY,
    Standing,
    attempt_of,
    check_growth,
    content_digest,
    fenced,
    fixed_columns,
    giving_way,
    readable,
    shape_row,
    standing,
)
from docfleet.core.errors import (
    DestinationRejected,
    Fenced,
    FileError,
    FileMissing,
    SourceNotFound,
    SourceUnreadable,
)
from docfleet.core.status import SkipReason

_NO_SETTINGS: dict[str, Any] = {"type": "object", "required": [], "properties": {}}


class MemoryFileSystem(ForkGuard):
    """Files in a dictionary of path to content; folders exist as far as files are in them."""

    info: ClassVar[ConnectorInfo] = ConnectorInfo(
        connector_id="memory-files|7c1f8f4e-3c54-4a0e-8b1b-5f2e8a6d9c10",
        name="Memory",
        description="Files in the memory of this process",
        mode=ConnectorMode.FILESYSTEM,
        can_read=True,
        can_write=True,
        json_schema=_NO_SETTINGS,
    )

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        super().__init__("memory-files")
        self._lock = threading.RLock()  # a fence may read what it guards
        self._files: dict[tuple[str, ...], tuple[bytes, float]] = {}
        self._attempts: dict[tuple[tuple[str, ...], str], int] = {}
        for path, content in (files or {}).items():
            self.write_file(path, io.BytesIO(content))

    def check(self, *, write: bool = False) -> None:
        """See ``FileSystemConnector``."""
        self._guard()

    def list_files(
        self,
        folder: str = "",
        *,
        recursive: bool,
        max_depth: int | None = None,
        on_skip: OnSkip | None = None,
        ignore: Ignore | None = None,
    ) -> Iterator[SourceEntry]:
        """See ``FileSystemConnector``. The files are those at the time of the call."""
        self._guard()
        parts = path_parts(folder.lstrip("/"))
        with self._lock:
            files = dict(self._files)
        if parts in files:
            raise SourceUnreadable(f"source {folder} is not a folder: name the folder that holds the files")
        if parts and not any(path[: len(parts)] == parts for path in files):
            raise SourceNotFound(f"source folder {folder} does not exist: create it or correct the path")
        if ignore is not None:
            files = _documents(files, parts, ignore, on_skip)
        return self._entries(files, parts, max_depth if recursive else 1, on_skip if recursive else None)

    def _entries(
        self,
        files: dict[tuple[str, ...], tuple[bytes, float]],
        folder: tuple[str, ...],
        levels: int | None,
        on_skip: OnSkip | None,
    ) -> Iterator[SourceEntry]:
        skipped: set[tuple[str, ...]] = set()
        for path in sorted(files, key=lambda path: (len(path), path)):
            if path[: len(folder)] != folder:
                continue
            if levels is not None and len(path) - len(folder) > levels:
                deep = path[: len(folder) + levels]
                if on_skip is not None and deep not in skipped:
                    on_skip(_shown(deep), SkipReason.TOO_DEEP)
                skipped.add(deep)
                continue
            content, modified_at = files[path]
            yield SourceEntry(path=_shown(path), name=encode_name(path[-1]), size=len(content), modified_at=modified_at)

    def state(self, path: str) -> None:
        """See ``FileSystemConnector``: a file here is complete from the start."""

    def open(self, path: str) -> BinaryIO:
        """See ``FileSystemConnector``."""
        self._guard()
        parts = path_parts(path)
        with self._lock:
            entry = self._files.get(parts)
            folder = any(known[: len(parts)] == parts for known in self._files)
        if entry is None and folder:
            raise FileError(f"{path} cannot be read: it is not a regular file")
        if entry is None:
            raise FileMissing(f"file {path} is no longer there: it was moved or deleted; send it again")
        return io.BytesIO(entry[0])

    def write_file(self, path: str, source: BinaryIO, fence: WriteFence | None = None) -> str:
        """See ``FileSystemConnector``."""
        self._guard()
        parts = file_parts(path)
        content = source.read()
        with self._lock:
            self._check(parts, fence)
            for known in self._files:
                shorter = min(len(known), len(parts))
                if len(known) != len(parts) and known[:shorter] == parts[:shorter]:
                    raise DestinationRejected(f"{path} cannot be written: a file stands where a folder is needed")
            self._files[parts] = (content, time.time())
        return _shown(parts)

    def withdraw_file(self, path: str, digest: str, fence: WriteFence) -> bool:
        """See ``FileSystemConnector``."""
        self._guard()
        parts = path_parts(path)
        with self._lock:
            self._check(parts, fence)
            entry = self._files.get(parts)
            if entry is None or hashlib.sha256(entry[0]).hexdigest() != digest:
                return False
            del self._files[parts]
        return True

    def path_of(self, location: str) -> str:
        """See ``FileSystemConnector``: a location is a path."""
        self._guard()
        return location

    def _check(self, parts: tuple[str, ...], fence: WriteFence | None) -> None:
        if fence is None:
            return
        fence.require()
        if self._attempts.get(key := (parts, fence.file_execution_id), 0) > fence.attempt:
            raise Fenced(f"a later attempt than {fence.attempt} has taken over the delivery of {_shown(parts)}")
        self._attempts[key] = fence.attempt

    def close(self) -> None:
        """See ``FileSystemConnector``."""
        self._guard()


def _documents(
    files: dict[tuple[str, ...], tuple[bytes, float]],
    folder: tuple[str, ...],
    ignore: Ignore,
    on_skip: OnSkip | None,
) -> dict[tuple[str, ...], tuple[bytes, float]]:
    """The files that no name below ``folder`` leaves out."""
    documents = {}
    skipped: set[tuple[str, ...]] = set()
    for path, file in files.items():
        ends = (end for end in range(len(folder) + 1, len(path) + 1) if ignore(encode_name(path[end - 1])))
        left_out = path[: next(ends, 0)]
        if not left_out:
            documents[path] = file
        elif left_out not in skipped and path[: len(folder)] == folder:
            skipped.add(left_out)
            if on_skip is not None:
                on_skip(_shown(left_out), SkipReason.NO_DOCUMENT)
    return documents


def _shown(parts: tuple[str, ...]) -> str:
    return encode_name("/".join(parts))


class _Table:
    def __init__(self, kinds: dict[str, ColumnKind]) -> None:
        self.kinds = kinds
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}

    def name_of(self, column: str) -> str | None:
        return next((name for name in self.kinds if name.casefold() == column.casefold()), None)


class MemoryDatabase(ForkGuard):
    """Tables in dictionaries, with the columns, kinds and delivery key of the SQL connectors."""

    info: ClassVar[ConnectorInfo] = ConnectorInfo(
        connector_id="memory-rows|1d0a6c8e-94c1-4f0b-9e6b-2f9b1f7f3a55",
        name="Memory",
        description="Rows in the memory of this process",
        mode=ConnectorMode.DATABASE,
        can_read=True,
        can_write=True,
        json_schema=_NO_SETTINGS,
    )

    def __init__(self) -> None:
        super().__init__("memory-rows")
        self._lock = threading.Lock()
        self._tables: dict[str, _Table] = {}

    def check(self) -> None:
        """See ``DatabaseConnector``."""
        self._guard()

    def deliver(self, target: TableSettings, row: DeliveryRow) -> DeliveryReceipt:
        """See ``DatabaseConnector``."""
        self._guard()
        cells = shape_row(target, row)
        with self._lock:
            table = self._tables.get(target.table) or _Table(fixed_columns(target))
            _add_columns(table, target, cells)
            values = {
                column: fit(column, ColumnType(table.kinds[column]), value)
                for name, value in cells.items()
                if (column := table.name_of(name)) is not None
            }
            self._tables[target.table] = table
            key = (cells[target.execution_id], cells[FILE_EXECUTION_COLUMN])
            old = table.rows.get(key)
            if old is not None and attempt_of(old.get("metadata")) > row.attempt:
                raise fenced(row.attempt, key[1], key[0], target.table)
            table.rows[key] = _merged(target, old, values)
            digest = content_digest(target, table.rows[key])
            superseded = target.on_change is OnChange.REPLACE and _gave_way(table, key, cells.get(DOCUMENT_COLUMN))
        outcome: Literal["written", "replaced", "superseded"] = "written" if old is None else "replaced"
        outcome = "superseded" if superseded else outcome
        return DeliveryReceipt(outcome, target.table, tuple(values), digest)

    def read_rows(self, target: TableSettings, limit: int, execution_id: str | None = None) -> list[dict[str, Any]]:
        """See ``DatabaseConnector``."""
        self._guard()
        with self._lock:
            table = self._tables.get(target.table)
            if table is None:
                return []
            rows = [
                {name: readable(row.get(name)) for name in table.kinds}
                for (execution, _), row in table.rows.items()
                if execution_id in (None, execution)
            ]
        rows.sort(key=lambda row: str(row.get(target.file_path)))
        return rows[:limit]

    def read_back(self, target: TableSettings, execution_id: str) -> Iterator[StoredRow]:
        """See ``DatabaseConnector``. The rows are those at the time of the first one."""
        self._guard()
        with self._lock:
            table = self._tables.get(target.table)
            rows = [dict(row) for (key, _), row in table.rows.items() if key == execution_id] if table else []
        for row in rows:
            yield StoredRow(row[FILE_EXECUTION_COLUMN], str(row.get("status")), content_digest(target, row))

    def probe(self, target: TableSettings) -> bool:
        """See ``DatabaseConnector``."""
        self._guard()
        try_writing(self, target, lambda own: self._tables.pop(own.table, None))
        return True

    def close(self) -> None:
        """See ``DatabaseConnector``."""
        self._guard()


def _gave_way(table: _Table, key: tuple[str, str], document: str | None) -> bool:
    """Delete the rows of other executions that give way to this one, or this one where it gives way to another."""
    if document is None:
        return False
    others = {
        other: _standing(row)
        for other, row in table.rows.items()
        if row.get(DOCUMENT_COLUMN) == document and other[0] != key[0]
    }
    mine = _standing(table.rows[key])
    old, superseded = giving_way(mine, others)
    for other in [*old, key] if superseded else old:
        del table.rows[other]
    return superseded


def _standing(row: dict[str, Any]) -> Standing:
    return standing(row.get("status"), row.get("metadata"))


def _add_columns(table: _Table, target: TableSettings, cells: Mapping[str, Any]) -> None:
    fixed = fixed_columns(target)
    missing: dict[str, ColumnKind] = {}
    for name, value in cells.items():
        kind = fixed.get(name) or column_kind(value)
        if kind is not None and table.name_of(name) is None:
            missing[name] = kind
    check_growth(target, table.kinds, missing)
    table.kinds.update(missing)


def _merged(target: TableSettings, old: dict[str, Any] | None, values: dict[str, Any]) -> dict[str, Any]:
    if old is None:
        return {"id": str(uuid.uuid4()), **values}
    kept = dict(old)
    if target.column_mode is ColumnMode.SPLIT:
        kept |= dict.fromkeys((old.get("metadata") or {}).get(SPLIT_COLUMNS_KEY, []))
    return kept | values
