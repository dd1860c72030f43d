"""Staging: a call's files on the execution's storage, under the SHA-256 of their content.

Names that a client sends never become names on disk. The folder of a call that fails is removed. When an execution
ends, its files that succeeded are deleted at once. The others are deleted with the results: until then they can be
retried.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path
from typing import BinaryIO

import msgspec
from sqlalchemy import select

from docfleet.backend.calls.refusals import invalid_field
from docfleet.backend.executions.state import Ended
from docfleet.backend.platform.db import Database, chunks, db_now
from docfleet.backend.tables.executions import executions
from docfleet.backend.tables.files import file_executions as files
from docfleet.core.errors import Conflict, DependencyError, UnsafePath
from docfleet.core.status import FINAL, ExecutionStatus
from docfleet.core.storage import UPLOADS, resolve_folder, upload_folder

PARTIAL = ".part"
MAX_NAME_LENGTH = 255
"""The most characters of a file's name."""
ABANDONED_SECONDS = 3600.0


class StagedFile(msgspec.Struct):
    """One received file: ``key`` is its name on the storage, the same for the same content."""

    name: str
    file_hash: str
    file_size: int
    key: str
    path: Path


class Incoming:
    """A file that is being received. Ends with ``finish`` or with its area's ``discard``."""

    def __init__(self, area: Area, name: str, path: Path) -> None:
        self.name = name
        self.size = 0
        self._area = area
        self._path = path
        self._digest = hashlib.sha256()
        self._stream: BinaryIO = path.open("xb")

    def write(self, chunk: bytes | bytearray) -> None:
        """Append. Raises ``DependencyError`` when the storage fails."""
        try:
            self._stream.write(chunk)
        except OSError as error:
            raise _storage(error) from error
        self._digest.update(chunk)
        self.size += len(chunk)

    def finish(self) -> StagedFile:
        """Close the file and rename it to the hash of its content."""
        try:
            self._stream.close()
            final = self._path.with_name(self._digest.hexdigest())
            self._path.replace(final)
        except OSError as error:
            raise _storage(error) from error
        staged = StagedFile(self.name, final.name, self.size, f"{self._area.folder}/{final.name}", final)
        self._area.files.append(staged)
        return staged

    def close(self) -> None:
        """Close the stream, complete or not."""
        self._stream.close()


class Area:
    """The upload folder of one execution that is about to be created; ``files`` in the order they came."""

    def __init__(self, root: Path, organization_id: str, workflow_id: str, execution_id: str) -> None:
        self.folder = upload_folder(organization_id, workflow_id, execution_id)
        self.files: list[StagedFile] = []
        self._root = root
        self._path = resolve_folder(root, self.folder)
        self._incoming: Incoming | None = None
        self._kept = False

    def open(self, name: str) -> Incoming:
        """Start a file. Raises ``DependencyError`` when the storage fails."""
        try:
            _make(self._path)
            self._incoming = Incoming(self, name, self._path / f"{len(self.files)}{PARTIAL}")
        except OSError as error:
            raise _storage(error) from error
        return self._incoming

    def link_from(self, folder: str, hashes: list[str]) -> dict[str, str]:
        """Link files of another upload ``folder`` into this one. Returns their paths by hash.

        Raises ``Conflict`` when one was deleted, ``DependencyError`` when the storage fails.
        """
        try:
            _make(self._path)
            for file_hash in hashes:
                (self._path / file_hash).hardlink_to(resolve_folder(self._root, f"{folder}/{file_hash}"))
        except FileNotFoundError as error:
            raise Conflict(
                "the uploaded files are gone (after the end of an execution those that did not succeed are kept for "
                "EXECUTION_RESULT_TTL_SECONDS): send them to the API again"
            ) from error
        except OSError as error:
            raise _storage(error) from error
        return {file_hash: f"{self.folder}/{file_hash}" for file_hash in hashes}

    def keep(self) -> None:
        """The files belong to an execution from now on, and are deleted after its end: ``discard`` keeps them."""
        self._kept = True

    def discard(self) -> None:
        """Remove everything that was staged, unless an execution owns it."""
        if self._kept:
            return
        if self._incoming is not None:
            self._incoming.close()
        remove(self._path)


class Staging:
    """The storage that backend and workers share. Files that did not succeed are kept for ``keep_seconds``
    after the end of their execution."""

    def __init__(self, root: str | None, keep_seconds: float = 0.0) -> None:
        self._root = Path(root) if root else None
        self._keep_seconds = keep_seconds

    def area(self, organization_id: str, workflow_id: str, execution_id: str) -> Area:
        """The folder of this execution's files; created with the first one. Raises ``DependencyError``."""
        if self._root is None:
            raise DependencyError(
                "this backend accepts no files: set EXECUTION_STORAGE_ROOT to the storage it shares with the workers"
            )
        return Area(self._root, organization_id, workflow_id, execution_id)

    def settle(self, database: Database, ended: list[Ended]) -> None:
        """Remove the staged files of ``ended`` executions that succeeded; harmless when repeated."""
        if self._root is None:
            return
        folders: dict[str, Path] = {}
        undone: list[str] = []
        for event in ended:
            try:
                folder = upload_folder(event.organization_id, event.workflow_id, event.execution_id)
                folders[event.execution_id] = resolve_folder(self._root, folder)
            except UnsafePath:
                continue
            if event.failed_files or event.stopped_files:
                undone.append(event.execution_id)
        kept = _kept(database, undone)
        for execution_id, path in folders.items():
            _reduce(path, kept.get(execution_id, set()))

    def link(
        self, organization_id: str, workflow_id: str, before: str, after: str, hashes: list[str]
    ) -> dict[str, str]:
        """Link staged files of the execution ``before`` into the uploads of ``after``. Returns their paths by hash.

        Raises ``Conflict`` when one was deleted, ``DependencyError`` when the storage fails.
        """
        area = self.area(organization_id, workflow_id, after)
        try:
            return area.link_from(upload_folder(organization_id, workflow_id, before), hashes)
        except BaseException:
            area.discard()
            raise

    def purge(self, database: Database) -> int:
        """Remove the files that processes left behind when they died. Returns the number of removed folders.

        These are: folders of executions that ended more than ``keep_seconds`` ago, folders an hour old without an
        execution, and files that succeeded of executions that ended since.
        """
        if self._root is None or not self._root.is_dir():
            return 0
        folders = {path.parent.name: path for path in self._root.glob(f"*/*/*/{UPLOADS}")}
        known: dict[str, bool | None] = {}  # whether it ended long ago; None while it runs
        with database.reading() as connection:
            for part in chunks(list(folders)):
                past = executions.c.finished_at < db_now() - self._keep_seconds
                rows = connection.execute(
                    select(executions.c.id, executions.c.status, past.label("past")).where(executions.c.id.in_(part))
                )
                known |= {row.id: bool(row.past) if row.status in FINAL else None for row in rows}
        kept = _kept(database, [execution_id for execution_id, past in known.items() if past is False])
        gone = 0
        for execution_id, path in folders.items():
            if execution_id not in known:
                gone += _is_old(path) and _reduce(path, set())
            elif known[execution_id] is not None:
                gone += _reduce(path, kept.get(execution_id, set()))
        return gone


def _kept(database: Database, ids: list[str]) -> dict[str, set[str]]:
    """The names of the staged files that did not succeed, by execution."""
    kept: dict[str, set[str]] = {}
    with database.reading() as connection:
        for part in chunks(ids):
            undone = select(files.c.execution_id, files.c.file_path).where(
                files.c.execution_id.in_(part), files.c.status != ExecutionStatus.COMPLETED.value
            )
            for row in connection.execute(undone):
                kept.setdefault(row.execution_id, set()).add(row.file_path.rpartition("/")[2])
    return kept


def _reduce(folder: Path, kept: set[str]) -> bool:
    """Remove all files but those named in ``kept``. True when the folder was removed, too."""
    try:
        staged = list(folder.iterdir())
    except FileNotFoundError:
        return False
    for path in staged:
        if path.name not in kept:
            path.unlink(missing_ok=True)
    if any(path.name in kept for path in staged):
        return False
    remove(folder)
    return True


def _is_old(folder: Path) -> bool:
    try:
        return folder.stat().st_mtime < time.time() - ABANDONED_SECONDS
    except FileNotFoundError:
        return False


def _make(folder: Path) -> None:
    for attempt in (1, 2, 3):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return
        except (FileNotFoundError, FileExistsError):
            # The end of another call removed a folder, which was empty at that moment.
            if attempt == 3:
                raise


def remove(folder: Path) -> None:
    """Remove an upload folder, and its execution's and its workflow's when nothing else is in them."""
    shutil.rmtree(folder, ignore_errors=True)
    for parent in (folder.parent, folder.parent.parent):
        try:
            parent.rmdir()
        except OSError:
            return


def _storage(error: OSError) -> DependencyError:
    return DependencyError(
        f"the storage does not take the file ({error.strerror or type(error).__name__}): "
        "check EXECUTION_STORAGE_ROOT, its space and its permissions"
    )


def check_name(name: str) -> str:
    """``name`` when it is valid for a document. Raises ``CallRefused`` (400): a name is not a path."""
    if not name or name in (".", "..") or any(ord(character) < 32 or character in "/\\\x7f" for character in name):
        raise invalid_field("files", f"not a file name: {name!r:.120}; a name has no slashes and no control characters")
    if len(name) > MAX_NAME_LENGTH:
        raise invalid_field("files", f"a file name has at most {MAX_NAME_LENGTH} characters")
    return name
