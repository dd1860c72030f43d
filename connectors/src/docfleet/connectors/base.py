"""The definition of a connector: its description, the two protocols and their values.

A connector is made, used and closed inside one task of one process. ``ForkGuard`` refuses anything else,
because a socket or a file handle shared with a parent process corrupts both sides silently.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, BinaryIO, Literal, Protocol

import msgspec

from docfleet.core.errors import ConfigurationError, ForkUnsafe
from docfleet.core.status import SkipReason

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
"""The pattern of names of tables and columns. 63 bytes is PostgreSQL's limit; the rule is the same for all
databases."""

OnSkip = Callable[[str, SkipReason], None]
"""Called with (path, reason) for each entry that a listing leaves out."""
Ignore = Callable[[str], bool]
"""Whether a file or a folder of this name is no document."""


class ConnectorMode(StrEnum):
    """The kind of a connector."""

    FILESYSTEM = "FILESYSTEM"
    DATABASE = "DATABASE"


class ConnectorInfo(msgspec.Struct, frozen=True):
    """A connector described for forms and validation.

    ``connector_id`` is ``name|uuid`` (the original's ids where it has the connector, so that stored
    credentials load). ``json_schema`` is a JSON Schema object; ``secrets`` names its secret fields. ``libraries``
    are the modules that the connector imports when it is used, and ``extra`` the extra that installs them; both are
    empty where nothing beyond the member's own dependencies is needed.
    """

    connector_id: str
    name: str
    description: str
    mode: ConnectorMode
    can_read: bool
    can_write: bool
    json_schema: dict[str, Any]
    secrets: tuple[str, ...] = ()
    tested: str = ""
    """The server that the connector was run against in the tests (``PostgreSQL 17``); empty: none."""
    extra: str = ""
    libraries: tuple[str, ...] = ()

    @property
    def short_name(self) -> str:
        """``connector_id`` without its uuid."""
        return self.connector_id.partition("|")[0]


@contextmanager
def optional_library(info: ConnectorInfo) -> Iterator[None]:
    """Around the imports of a connector's library: ``with optional_library(self.info): import asyncssh``.

    Raises ``ConfigurationError`` naming the extra when the library is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise missing_library(info, error.name or "") from error


def missing_library(info: ConnectorInfo, library: str) -> ConfigurationError:
    """The error of a connector whose library is not installed."""
    remedy = f"pip install 'docfleet-connectors[{info.extra}]'" if info.extra else "install it"
    return ConfigurationError(f"connector {info.short_name} needs the library {library}, which is missing: {remedy}")


class ForkGuard:
    """Refuses use in any process but the one that made the object."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._pid = os.getpid()

    def _guard(self) -> None:
        if (pid := os.getpid()) != self._pid:
            raise ForkUnsafe(
                f"connector {self._name} was made in process {self._pid} and is used in process {pid}: "
                "make connectors inside the task"
            )


class SourceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a source.

    ``path`` is POSIX, relative to the connector's root, without a leading slash and always valid Unicode
    (``paths.encode_name`` encodes other bytes). ``size`` is in bytes, ``modified_at`` in seconds
    since the epoch. ``fs_metadata`` holds JSON-safe values only.
    """

    path: str
    name: str
    size: int
    modified_at: float
    provider_file_uuid: str | None = None
    fs_metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class FileState(msgspec.Struct, frozen=True):
    """What shows whether a file is being written. ``is_open``: a process of this machine has it open for writing."""

    size: int
    modified_at: float
    is_open: bool = False


class WriteFence(msgspec.Struct, frozen=True):
    """The writer of a file: an attempt at a file execution, which has to hold its lease.

    ``require`` raises ``Fenced`` when the lease is lost. A file system cannot compare attempts. So a connector calls
    it at the last moment before a file gets its name, and an attempt first removes the temporary files of earlier ones:
    a writer that was suspended in between has nothing left to rename.
    """

    file_execution_id: str
    attempt: int
    require: Callable[[], None]


class FileSystemConnector(Protocol):
    """Reads and writes files below one root folder. No path leaves that root."""

    def check(self, *, write: bool = False) -> None:
        """Raise a ``SourceError`` when the root cannot be read; with ``write``, a ``DestinationError`` when it cannot
        be written."""

    def list_files(
        self,
        folder: str = "",
        *,
        recursive: bool,
        max_depth: int | None = None,
        on_skip: OnSkip | None = None,
        ignore: Ignore | None = None,
    ) -> Iterator[SourceEntry]:
        """Stream the files below ``folder``; ``max_depth`` counts folder levels, ``folder`` itself is 1. None means
        any depth; a loop of links ends nevertheless. ``on_skip`` gets every entry that is left out; those that
        ``ignore`` names are left out without a look at them (``NO_DOCUMENT``).

        A folder that cannot be read completely raises ``SourceNotFound``, ``SourceUnreadable`` or
        ``SourceVanished``: never a short list with success.
        """

    def open(self, path: str) -> BinaryIO:
        """The content of one file. Raises ``UnsafePath``, ``FileMissing`` or another ``FileError``."""

    def state(self, path: str) -> FileState | None:
        """The present state of one file; None when the connector cannot say. Raises as ``open``."""

    def write_file(self, path: str, source: BinaryIO, fence: WriteFence | None = None) -> str:
        """Write atomically, replacing an earlier file of this path; returns the final location.

        Two different files under one path are the caller's mistake: the later one wins (``deliver_files`` chooses
        names so that this cannot happen). Raises ``UnsafePath``, a ``DestinationError``, or ``Fenced``: then the file
        is a later attempt's.
        """

    def withdraw_file(self, path: str, digest: str, fence: WriteFence) -> bool:
        """Remove the file of this path when its content has this SHA-256 (hex), and in any case the temporary
        files of earlier attempts; whether a file was removed. Raises as ``write_file``."""

    def path_of(self, location: str) -> str:
        """The path below the root of a location that ``write_file`` gave. Raises ``FileMissing`` when it is not
        below the root (any more)."""

    def close(self) -> None:
        """Release the connector's resources."""


class ColumnMode(StrEnum):
    """How a result is written into columns."""

    SINGLE = "WRITE_JSON_TO_A_SINGLE_COLUMN"
    SPLIT = "SPLIT_JSON_INTO_COLUMNS"


class OnChange(StrEnum):
    """What becomes of the row that an earlier execution delivered for the same document."""

    APPEND = "append"
    REPLACE = "replace"


class DocumentIdentity(StrEnum):
    """What makes two documents of one workflow and source the same one."""

    PATH = "path"
    CONTENT = "content"


FILE_EXECUTION_COLUMN = "file_execution_id"
DOCUMENT_COLUMN = "docfleet_document"
"""Says which document a row is of, where rows are replaced across executions."""
LEDGER_TABLE = "docfleet_deliveries"
"""Keeps the delivery keys of tables that have no unique key for them: tables that Docfleet did not create."""


class TableSettings(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=False):
    """Where and how rows are written; the wire keys are the original's (``columnMode``, ``filePath``...).

    ``table`` may be ``schema.table``. ``file_path`` and ``execution_id`` are the names of those columns.
    Raises ``ConfigurationError`` for a name that is not an identifier or is used twice.
    """

    table: str = "docfleet_results"
    column_mode: ColumnMode = ColumnMode.SINGLE
    single_column_name: str = "data"
    include_agent: bool = True
    agent_name: str = "DOCFLEET_DBWRITER"
    include_timestamp: bool = True
    file_path: str = "file_path"
    execution_id: str = "execution_id"
    evidence_column: str = ""
    """Where the evidence for the result goes; empty: nowhere."""
    on_change: OnChange = OnChange.APPEND
    identity: DocumentIdentity = DocumentIdentity.PATH

    def __post_init__(self) -> None:
        parts = self.table.split(".")
        columns = [self.single_column_name, self.file_path, self.execution_id]
        columns += [self.evidence_column] if self.evidence_column else []
        if parts[-1].casefold() == LEDGER_TABLE:
            raise ConfigurationError(f"table {self.table!r} is Docfleet's own list of deliveries: choose another name")
        if len(parts) > 2 or not all(IDENTIFIER.fullmatch(part) for part in parts):
            raise ConfigurationError(
                f"table {self.table!r} is not a valid name: use TABLE or SCHEMA.TABLE of letters, digits and _"
            )
        for column in columns:
            if not IDENTIFIER.fullmatch(column):
                raise ConfigurationError(f"column {column!r} is not a valid name: use letters, digits and _")
        taken = {*RESERVED_COLUMNS}
        for column in columns:
            if column.casefold() in taken:
                raise ConfigurationError(f"column {column!r} is used twice: choose another name for it")
            taken.add(column.casefold())


RESERVED_COLUMNS = (
    "id",
    "created_by",
    "created_at",
    "metadata",
    "status",
    "error_message",
    "user_field_1",
    "user_field_2",
    "user_field_3",
    FILE_EXECUTION_COLUMN,
)


def table_settings(configuration: Mapping[str, Any]) -> TableSettings:
    """Read the table settings out of an endpoint's configuration; other keys and blanks are ignored.

    Raises ``ConfigurationError`` naming the key.
    """
    given = {key: value for key, value in configuration.items() if value not in (None, "")}
    try:
        return msgspec.convert(given, TableSettings)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"destination settings are malformed: {error}") from error


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one file, to be written under the key (execution_id, file_execution_id).

    ``result`` is any JSON value; a text becomes ``{"result": text}``. It is never changed here. ``attempt`` is the
    fencing token: what a later attempt wrote is not overwritten by an earlier one.
    """

    execution_id: str
    file_execution_id: str
    file_path: str
    result: Any = None
    status: Literal["SUCCESS", "ERROR"] = "SUCCESS"
    error_message: str | None = None
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    attempt: int = 0
    evidence: dict[str, Any] | None = None
    document: str | None = None
    """Which document it is, the same in every execution; used where rows are replaced across executions."""
    execution_created_at: str = ""
    """When the execution was created, in ISO 8601: a later execution has the later document."""


class DeliveryReceipt(msgspec.Struct, frozen=True):
    """The result of a delivery.

    ``written`` the first time, ``replaced`` when its key was there already, ``superseded`` when a later execution has
    delivered the same document. ``digest`` is the SHA-256 of the row's content as the database stored it
    (``rows.content_digest``).
    """

    outcome: Literal["written", "replaced", "superseded"]
    table: str
    columns: tuple[str, ...]
    digest: str


class StoredRow(msgspec.Struct, frozen=True):
    """A delivered row in its current state; ``digest`` equals its receipt's unless the row was changed."""

    file_execution_id: str
    status: str
    digest: str


class DatabaseConnector(Protocol):
    """Writes one row per file; a repeat of the same key leaves one row."""

    def check(self) -> None:
        """Raise ``DestinationUnavailable`` or ``DestinationRejected`` when the database cannot be used."""

    def deliver(self, target: TableSettings, row: DeliveryRow) -> DeliveryReceipt:
        """Write or replace the row of this key, making the table and its columns when they are missing.

        Raises ``Fenced`` (a later attempt delivered already), ``DestinationUnavailable`` (try again) or
        ``DestinationRejected`` (names the column).
        """

    def read_rows(self, target: TableSettings, limit: int, execution_id: str | None = None) -> list[dict[str, Any]]:
        """Up to ``limit`` rows as JSON-safe values by column, ordered by file path; none without the table."""

    def read_back(self, target: TableSettings, execution_id: str) -> Iterator[StoredRow]:
        """Every row of an execution, in any order, a few in memory at a time; none without the table."""

    def probe(self, target: TableSettings) -> bool:
        """Make a table of another name where ``target`` would be, write a row into it, read it and drop the table.
        False where the database itself is still to be made, and only its place was checked.

        Raises as ``deliver``, when the row read differs from the row written, too. Nothing is left behind.
        """

    def close(self) -> None:
        """Close the connection."""
