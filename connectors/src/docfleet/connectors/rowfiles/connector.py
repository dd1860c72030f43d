"""A table as files: one row is one file, whose name is the key of its delivery.

::

    TABLE/delivery_run=<execution>/<file execution>.parquet
    TABLE/delivery_source=<document>/<execution>@<file execution>.parquet     where rows are replaced across executions

The names of the folders are columns to readers of Hive partitions. No column of a row has such a name: a reader that
finds one column in both places refuses the table.

A file system compares no attempts and locks nothing. So the fence of a file is the attempt in the file that is there,
and executions with the same document write first and look second: of two that do so at once, each sees the other's
file, and both come to the same decision about which one goes.
"""

from __future__ import annotations

import hashlib
import heapq
import io
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, NamedTuple
from urllib.parse import quote

from docfleet.connectors.base import (
    DOCUMENT_COLUMN,
    FILE_EXECUTION_COLUMN,
    ConnectorInfo,
    ConnectorMode,
    DeliveryReceipt,
    DeliveryRow,
    FileSystemConnector,
    ForkGuard,
    OnChange,
    StoredRow,
    TableSettings,
    WriteFence,
    optional_library,
)
from docfleet.connectors.columns import ColumnKind, ColumnType, column_kind, fit
from docfleet.connectors.filesystems.local import LocalFileSystem
from docfleet.connectors.paths import MAX_NAME_BYTES, safe_join
from docfleet.connectors.registry import open_file_system
from docfleet.connectors.rowfiles.formats import Csv, JsonLines, RowFormat
from docfleet.connectors.rows import (
    Standing,
    attempt_of,
    content_digest,
    fenced,
    fixed_columns,
    gives_way,
    readable,
    shape_row,
    standing,
)
from docfleet.connectors.settings import stored_settings
from docfleet.core.errors import (
    ConfigurationError,
    DestinationRejected,
    DestinationUnavailable,
    FileError,
    FileMissing,
    SourceError,
    SourceNotFound,
)

RUN_KEY = "delivery_run"
SOURCE_KEY = "delivery_source"
_UNKNOWN = "__HIVE_DEFAULT_PARTITION__"
"""The partition of what has no value, by Hive's convention."""
_LOOKS = 5
"""How often an execution looks again at the files of a document that others change meanwhile."""
_ROW_ID = uuid.UUID("1a3f5a0e-6d0b-4e57-9d55-6f1c1f2b7a90")


class _Held(NamedTuple):
    """A row in its file."""

    path: str
    row: dict[str, Any]
    sha256: str


class RowFiles(ForkGuard):
    """Writes each row into a file of its own, in a folder of this machine or of any file system connector.

    ``files`` is the file system where the caller has it; otherwise the settings say which one to open.
    """

    info: ClassVar[ConnectorInfo]

    def __init__(self, settings: Mapping[str, Any], files: FileSystemConnector | None = None) -> None:
        super().__init__(self.info.short_name)
        values = stored_settings(self.info, settings)
        self._format = self._make_format(values)
        self._folder = str(values["folder"])
        self._files = files if files is not None else _file_system(self.info, values)

    def _make_format(self, values: Mapping[str, Any]) -> RowFormat:
        raise NotImplementedError

    def check(self) -> None:
        """See ``DatabaseConnector``."""
        self._guard()
        self._files.check(write=True)

    def deliver(self, target: TableSettings, row: DeliveryRow) -> DeliveryReceipt:
        """See ``DatabaseConnector``."""
        self._guard()
        cells = shape_row(target, row)
        values, kinds = _typed(target, cells)
        path = self._path(target, cells)
        content = self._format.encode(values, kinds)
        earlier = self._held(target, path)
        _require(earlier, row)
        fence = WriteFence(row.file_execution_id, row.attempt, lambda: _require(self._held(target, path), row))
        self._files.write_file(path, io.BytesIO(content), fence)
        outcome: Literal["written", "replaced", "superseded"] = "written" if earlier is None else "replaced"
        if cells.get(DOCUMENT_COLUMN) is not None and self._gave_way(target, path, cells):
            outcome = "superseded"
        digest = content_digest(target, self._format.decode(content, fixed_columns(target)))
        return DeliveryReceipt(outcome, target.table, tuple(values), digest)

    def read_rows(self, target: TableSettings, limit: int, execution_id: str | None = None) -> list[dict[str, Any]]:
        """See ``DatabaseConnector``. The columns are those of the rows that are returned."""
        self._guard()
        held = (self._known(target, path) for path in self._paths(target, execution_id))
        rows = heapq.nsmallest(
            limit,
            (one.row for one in held if one is not None),
            key=lambda row: (str(row.get(target.file_path)), str(row.get(FILE_EXECUTION_COLUMN))),
        )
        columns = dict.fromkeys(name for row in rows for name in row)
        return [{name: readable(row.get(name)) for name in columns} for row in rows]

    def read_back(self, target: TableSettings, execution_id: str) -> Iterator[StoredRow]:
        """See ``DatabaseConnector``. A file that cannot be understood has a digest of nothing."""
        self._guard()
        for path in self._paths(target, execution_id):
            held = self._held(target, path)
            if held is not None:
                file_execution = held.row.get(FILE_EXECUTION_COLUMN, _file_execution(path))
                digest = content_digest(target, held.row) if held.row else ""
                yield StoredRow(str(file_execution), str(held.row.get("status")), digest)

    def probe(self, target: TableSettings) -> bool:
        """See ``DatabaseConnector``. The row lies beside the tables: a folder of its own could not be removed."""
        self._guard()
        self._files.check(write=True)
        unique = uuid.uuid4().hex
        row = DeliveryRow(execution_id=unique, file_execution_id=unique, file_path="probe", result={"probe": unique})
        own = TableSettings()
        content = self._format.encode(*_typed(own, shape_row(own, row)))
        path = safe_join(self._folder, f"docfleet_probe_{unique}{self._format.suffix}")
        fence = WriteFence(unique, 0, lambda: None)
        self._files.write_file(path, io.BytesIO(content), fence)
        held = self._held(own, path)
        sha256 = hashlib.sha256(content).hexdigest()
        self._files.withdraw_file(path, sha256 if held is None else held.sha256, fence)
        if held is None or held.sha256 != sha256 or not held.row:
            raise DestinationRejected(f"{path} is read back with another content")
        return True

    def close(self) -> None:
        """See ``DatabaseConnector``."""
        self._guard()
        self._files.close()

    def _path(self, target: TableSettings, cells: Mapping[str, Any]) -> str:
        execution, file_execution = cells[target.execution_id], cells[FILE_EXECUTION_COLUMN]
        if target.on_change is OnChange.REPLACE:
            folder = f"{SOURCE_KEY}={_name(cells[DOCUMENT_COLUMN] or _UNKNOWN)}"
            file = f"{_name(execution)}@{_name(file_execution)}"
        else:
            folder, file = f"{RUN_KEY}={_name(execution)}", _name(file_execution)
        return safe_join(self._table(target), f"{folder}/{file}{self._format.suffix}")

    def _table(self, target: TableSettings) -> str:
        return safe_join(self._folder, target.table.replace(".", "/"))

    def _paths(self, target: TableSettings, execution_id: str | None) -> Iterator[str]:
        """The files of the rows of an execution, or of all."""
        table = self._table(target)
        if execution_id is None:
            yield from self._listed(table, levels=2)
            return
        yield from self._listed(safe_join(table, f"{RUN_KEY}={_name(execution_id)}"), levels=1)
        if target.on_change is OnChange.REPLACE:
            mine = f"{_name(execution_id)}@"
            for path in self._listed(table, levels=2):
                if path.rpartition("/")[2].startswith(mine):
                    yield path

    def _listed(self, folder: str, levels: int) -> Iterator[str]:
        try:
            for entry in self._files.list_files(folder, recursive=True, max_depth=levels):
                if entry.name.endswith(self._format.suffix):
                    yield entry.path
        except SourceNotFound:
            return
        except SourceError as error:
            raise DestinationUnavailable(f"the table's files cannot be listed: {error.message}") from error

    def _held(self, target: TableSettings, path: str) -> _Held | None:
        """The file, None where there is none; its row is empty where it is not one of ours."""
        try:
            with self._files.open(path) as file:
                content = file.read()
        except FileMissing:
            return None
        except (FileError, SourceError) as error:
            raise DestinationUnavailable(f"the row in {path} cannot be read: {error.message}") from error
        try:
            row = self._format.decode(content, fixed_columns(target))
        except ValueError:
            row = {}
        return _Held(path, row, hashlib.sha256(content).hexdigest())

    def _known(self, target: TableSettings, path: str) -> _Held | None:
        held = self._held(target, path)
        if held is not None and not held.row:
            raise DestinationRejected(f"{path} is not a row that Docfleet wrote: remove the file from the table")
        return held

    def _gave_way(self, target: TableSettings, path: str, cells: Mapping[str, Any]) -> bool:
        """Remove the files of other executions that give way to this one, or this one where it gives way to another."""
        execution = cells[target.execution_id]
        superseded = False
        for _ in range(_LOOKS):
            found = [self._held(target, each) for each in self._listed(path.rpartition("/")[0], levels=1)]
            known = [held for held in found if held is not None and held.row]
            mine = next((held for held in known if held.path == path), None)
            if mine is None:
                return True  # another execution, which is later, has removed it
            others = [held for held in known if held.row.get(target.execution_id) != execution]
            old = [held for held in others if _gives_way(target, held, mine)]
            superseded = any(_gives_way(target, mine, held) for held in others)
            leaving = [*old, mine] if superseded else old
            if all(self._withdraw(held) for held in leaving):
                break
        return superseded

    def _withdraw(self, held: _Held) -> bool:
        attempt = attempt_of(held.row.get("metadata"))
        fence = WriteFence(str(held.row.get(FILE_EXECUTION_COLUMN)), attempt, lambda: None)
        return self._files.withdraw_file(held.path, held.sha256, fence)


def _file_system(info: ConnectorInfo, values: Mapping[str, Any]) -> FileSystemConnector:
    path, name = values.get("path"), values.get("fileSystem")
    if (path is None) == (name is None):
        raise ConfigurationError(
            f"connector {info.short_name}: set either 'path', a folder of this machine, or 'fileSystem' and "
            "'fileSystemSettings'"
        )
    return LocalFileSystem({"path": path}) if name is None else open_file_system(name, values["fileSystemSettings"])


def _name(text: str) -> str:
    """An id as a file name; ids of Docfleet are the same in both."""
    name = quote(str(text), safe=" ")
    return name if len(name) < MAX_NAME_BYTES // 3 else hashlib.sha256(name.encode()).hexdigest()


def _file_execution(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0].rpartition("@")[2]


def _require(earlier: _Held | None, row: DeliveryRow) -> None:
    if earlier is not None and attempt_of(earlier.row.get("metadata")) > row.attempt:
        raise fenced(row.attempt, row.file_execution_id, row.execution_id, earlier.path)


def _typed(target: TableSettings, cells: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, ColumnKind]]:
    """Every column of the file with its value and its kind. A null in a split result has no column."""
    kinds = fixed_columns(target)
    key = f"{cells[target.execution_id]}\0{cells[FILE_EXECUTION_COLUMN]}"
    values: dict[str, Any] = dict.fromkeys(kinds) | {"id": str(uuid.uuid5(_ROW_ID, key))}
    for name, value in cells.items():
        if name.casefold() in (RUN_KEY, SOURCE_KEY):
            raise DestinationRejected(f"the result has a field {name!r}, which is a folder of the table: rename it")
        kind = kinds.get(name) or column_kind(value)
        if kind is not None:
            kinds[name] = kind
            values[name] = fit(name, ColumnType(kind), value)
    return values, kinds


def _standing(held: _Held) -> Standing:
    return standing(held.row.get("status"), held.row.get("metadata"))


def _gives_way(target: TableSettings, one: _Held, other: _Held) -> bool:
    """As ``gives_way``. Of two executions of the same moment one goes, and both know which: nothing is locked."""
    if not gives_way(_standing(one), _standing(other)):
        return False
    is_mutual = gives_way(_standing(other), _standing(one))
    return not is_mutual or str(one.row.get(target.execution_id)) < str(other.row.get(target.execution_id))


def _schema(title: str, **more: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": title,
        "type": "object",
        "required": [],
        "properties": {
            "connectorName": {"type": "string", "title": "Name of the connector"},
            "path": {"type": "string", "title": "Folder of this machine"},
            "fileSystem": {
                "type": "string",
                "title": "File system",
                "description": "The connector that holds the files, where they are not on this machine",
            },
            "fileSystemSettings": {
                "type": "object",
                "title": "Settings of the file system",
                "format": "password",
                "default": {},
            },
            "folder": {
                "type": "string",
                "title": "Folder",
                "description": "The folder of the tables, below the root of the file system",
                "default": "/",
            },
            **more,
        },
        "additionalProperties": False,
    }


def _described(connector_id: str, name: str, description: str, **more: Any) -> ConnectorInfo:
    return ConnectorInfo(
        connector_id=connector_id,
        name=name,
        description=description,
        mode=ConnectorMode.DATABASE,
        can_read=True,
        can_write=True,
        secrets=("fileSystemSettings",),
        **more,
    )


class JsonLinesFiles(RowFiles):
    """Rows as files of JSON lines."""

    info: ClassVar[ConnectorInfo] = _described(
        "jsonl|0b6f7a52-7f0e-4b7e-9f39-2a35b0d3c6c1",
        "JSON lines files",
        "One file a row, of one JSON object",
        json_schema=_schema("JSON lines files"),
        tested="files of a local folder, read by DuckDB",
    )

    def _make_format(self, values: Mapping[str, Any]) -> RowFormat:
        return JsonLines()


class CsvFiles(RowFiles):
    """Rows as CSV files."""

    info: ClassVar[ConnectorInfo] = _described(
        "csv|5a1c7d1c-2e4f-4b64-8a6c-4c7a0f5a9e42",
        "CSV files",
        "One file a row, with a line of column names",
        json_schema=_schema(
            "CSV files",
            escapeFormulas={
                "type": "boolean",
                "title": "Escape formulas",
                "description": "Put an apostrophe before texts that a spreadsheet would take for a formula",
                "default": True,
            },
        ),
        tested="files of a local folder, read by DuckDB",
    )

    def _make_format(self, values: Mapping[str, Any]) -> RowFormat:
        return Csv(escape_formulas=values["escapeFormulas"])


class ParquetFiles(RowFiles):
    """Rows as Parquet files."""

    info: ClassVar[ConnectorInfo] = _described(
        "parquet|d7c0f0f7-58a4-4a0d-9d6e-1b1f5d2f8e63",
        "Parquet files",
        "One file a row, with typed columns",
        json_schema=_schema("Parquet files"),
        tested="files of a local folder, read by DuckDB",
        extra="parquet",
        libraries=("arro3",),
    )

    def _make_format(self, values: Mapping[str, Any]) -> RowFormat:
        with optional_library(self.info):
            from docfleet.connectors.rowfiles.parquet import Parquet
        return Parquet()
