"""A folder of this machine (or a mounted share) as source and destination.

Nothing outside the folder is ever read or written: links are resolved first, and the resolved path is then
opened folder by folder without following links, so that a link swapped in between is refused by the kernel.
"""

# dir_fd, O_NOFOLLOW and undecodable names have no pathlib form
# ruff: noqa: PTH100, PTH103, PTH112, PTH118, PTH120, PTH206

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import signal
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, ClassVar

from docfleet.connectors.base import (
    ConnectorInfo,
    ConnectorMode,
    FileState,
    ForkGuard,
    Ignore,
    OnSkip,
    SourceEntry,
    WriteFence,
)
from docfleet.connectors.filesystems.content import read_chunk
from docfleet.connectors.filesystems.temporaries import (
    ABANDONED_SECONDS,
    is_temporary,
    temporaries_until,
    temporary_name,
)
from docfleet.connectors.filesystems.walk import Walk
from docfleet.connectors.paths import decode_name, encode_name, file_parts, path_parts
from docfleet.connectors.settings import stored_settings
from docfleet.core.errors import (
    ConfigurationError,
    DestinationRejected,
    DestinationUnavailable,
    Fenced,
    FileError,
    FileMissing,
    SourceNotFound,
    SourceUnreadable,
    UnsafePath,
)

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_UNAVAILABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE)


class LocalFileSystem(ForkGuard):
    """``{"path": FOLDER}``; a relative folder is taken from the current directory when the object is made.

    It gives no ``provider_file_uuid``: a local folder has no content identity of its own.
    """

    info: ClassVar[ConnectorInfo] = ConnectorInfo(
        connector_id="localstorage|ded5e7f0-f527-416d-8d4a-19f559bd6da5",
        name="Local folder",
        description="A folder on this machine or a mounted share",
        mode=ConnectorMode.FILESYSTEM,
        can_read=True,
        can_write=True,
        tested="a local folder",
        json_schema={
            "title": "Local folder",
            "type": "object",
            "required": ["path"],
            "properties": {
                "connectorName": {"type": "string", "title": "Name of the connector"},
                "path": {"type": "string", "title": "Folder", "description": "Absolute path of the folder"},
            },
            "additionalProperties": False,
        },
    )

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__("local")
        path = stored_settings(self.info, settings)["path"]
        if "\0" in path:
            raise ConfigurationError("connector local: field 'path' contains a NUL character")
        self.root = os.path.abspath(path)
        self._swept: set[str] = set()

    def check(self, *, write: bool = False) -> None:
        """See ``FileSystemConnector``. A folder to write to need not exist yet."""
        self._guard()
        if not write:
            self._folder("")
            return
        existing = self.root
        while not os.path.lexists(existing):
            existing = os.path.dirname(existing)
        rights = os.access in os.supports_effective_ids
        if not os.path.isdir(existing) or not os.access(existing, os.W_OK | os.X_OK, effective_ids=rights):
            raise DestinationRejected(
                f"output folder {self.root} cannot be written: {existing} is not a folder this user may write to"
            )

    def list_files(
        self,
        folder: str = "",
        *,
        recursive: bool,
        max_depth: int | None = None,
        on_skip: OnSkip | None = None,
        ignore: Ignore | None = None,
    ) -> Iterator[SourceEntry]:
        """See ``FileSystemConnector``. Files of one folder come sorted by name, before those of its subfolders."""
        self._guard()
        real = self._folder(folder)
        levels = max_depth if recursive else 1
        walk = Walk(os.path.realpath(self.root), levels, recursive, on_skip, is_temporary, ignore)
        return walk.files(real, "/".join(path_parts(folder.lstrip("/"))))

    def open(self, path: str) -> BinaryIO:
        """See ``FileSystemConnector``."""
        self._guard()
        parts = path_parts(path)
        root = os.path.realpath(self.root)
        try:
            inside = _inside(root, os.path.realpath(os.path.join(root, *parts), strict=True), path)
            # O_NONBLOCK: opening a pipe without a writer would otherwise hang before fstat can refuse it.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with _descend(root, inside[:-1]) as parent:
                descriptor = os.open(inside[-1] if inside else ".", flags, dir_fd=parent)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                raise FileMissing(
                    f"file {path} is no longer in {self.root}: it was moved or deleted; send it again"
                ) from error
            raise FileError(f"file {path} in {self.root} cannot be read: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileError(f"{path} in {self.root} cannot be read: it is not a regular file")
        return os.fdopen(descriptor, "rb")

    def state(self, path: str) -> FileState:
        """See ``FileSystemConnector``."""
        with self.open(path) as file:
            status = os.fstat(file.fileno())
            return FileState(status.st_size, status.st_mtime, _is_written(file.fileno()))

    def write_file(self, path: str, source: BinaryIO, fence: WriteFence | None = None) -> str:
        """See ``FileSystemConnector``. Missing folders are created; returns an absolute (encoded) path."""
        self._guard()
        parts = file_parts(path)
        with _writing(os.path.join(self.root, *parts)):
            os.makedirs(self.root, exist_ok=True)
            root = os.path.realpath(self.root)
            folders = _inside(root, os.path.realpath(os.path.join(root, *parts[:-1])), path)
            with _descend(root, folders, create=True) as parent:
                folder = "/".join(folders)
                if folder not in self._swept:
                    self._swept.add(folder)
                    _remove_abandoned(parent)
                _replace(parent, parts[-1], source, fence)
            return encode_name(os.path.join(root, *folders, parts[-1]))

    def withdraw_file(self, path: str, digest: str, fence: WriteFence) -> bool:
        """See ``FileSystemConnector``."""
        self._guard()
        parts = path_parts(path)
        fence.require()
        with _writing(os.path.join(self.root, *parts)):
            try:
                root = os.path.realpath(self.root, strict=True)
                folders = _inside(root, os.path.realpath(os.path.join(root, *parts[:-1]), strict=True), path)
                with _descend(root, folders) as parent:
                    _remove_temporaries(parent, parts[-1], fence)
                    if _digest(parent, parts[-1]) != digest:
                        return False
                    os.unlink(parts[-1], dir_fd=parent)
                    os.fsync(parent)
            except FileNotFoundError:
                return False
        return True

    def path_of(self, location: str) -> str:
        """See ``FileSystemConnector``."""
        self._guard()
        parts = os.path.relpath(decode_name(location), os.path.realpath(self.root)).split(os.sep)
        if parts[0] == ".." or not location.startswith("/"):
            raise FileMissing(f"{location} is not in {self.root}: the destination's folder was changed since")
        return encode_name("/".join(parts))

    def close(self) -> None:
        """See ``FileSystemConnector``; nothing is held between calls."""
        self._guard()

    def _folder(self, folder: str) -> str:
        """The resolved path of a readable folder of this source."""
        parts = path_parts(folder.lstrip("/"))
        requested = os.path.join(self.root, *parts)
        shown = encode_name(requested)
        try:
            root = os.path.realpath(self.root, strict=True)
            real = os.path.realpath(requested, strict=True)
            _inside(root, real, folder)
            if not os.path.isdir(real):
                raise SourceUnreadable(f"source {shown} is not a folder: name the folder that holds the files")
            os.close(os.open(real, _FOLDER))
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                raise SourceNotFound(f"source folder {shown} does not exist: create it or correct the path") from error
            raise SourceUnreadable(f"source folder {shown} cannot be read: {error.strerror}") from error
        return real


def _is_written(descriptor: int) -> bool:
    """Whether a process of this machine has the file open for writing: then Linux gives no read lease. False where
    nobody knows: on network shares, and for files of other users."""
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        # A writer that opens the file meanwhile waits, and the holder of the lease gets a signal: by default SIGIO,
        # which would end this process. SIGURG is ignored.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def _inside(root: str, real: str, path: str) -> tuple[str, ...]:
    """The names from ``root`` down to ``real``; raises ``UnsafePath`` when it is elsewhere."""
    relative = os.path.relpath(real, root)
    parts = () if relative == "." else tuple(relative.split(os.sep))
    if parts[:1] == ("..",):
        raise UnsafePath(f"path {path!r} leaves the folder {root} through a link: remove the link")
    return parts


@contextmanager
def _descend(root: str, folders: tuple[str, ...], *, create: bool = False) -> Iterator[int]:
    """A descriptor of the folder below ``root``, reached without following any link."""
    descriptor = os.open(root, _FOLDER)
    try:
        for folder in folders:
            if create:
                try:
                    os.mkdir(folder, dir_fd=descriptor)
                    os.fsync(descriptor)
                except FileExistsError:
                    pass
            below = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _replace(parent: int, name: str, source: BinaryIO, fence: WriteFence | None) -> None:
    """Copy ``source`` to a temporary file and rename it; readers see the old file or the complete new one."""
    temporary = temporary_name(name, fence)
    if fence is not None:
        _remove_temporaries(parent, name, fence)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o666, dir_fd=parent)
    try:
        with os.fdopen(descriptor, "wb") as target:
            while chunk := read_chunk(source):
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        _give_name(parent, temporary, name, fence)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=parent)
        raise
    os.fsync(parent)


def _give_name(parent: int, temporary: str, name: str, fence: WriteFence | None) -> None:
    if fence is not None:
        fence.require()
    try:
        os.replace(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except FileNotFoundError as error:
        if fence is None:
            raise
        raise Fenced(f"a later attempt than {fence.attempt} has taken over the delivery of {name}") from error


def _remove_temporaries(parent: int, name: str, fence: WriteFence) -> None:
    for temporary in temporaries_until(name, fence):
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=parent)


def _remove_abandoned(parent: int) -> None:
    old = time.time() - ABANDONED_SECONDS
    with os.scandir(parent) as entries:
        names = [entry.name for entry in entries if is_temporary(entry.name)]
    for name in names:
        with suppress(FileNotFoundError):
            if os.stat(name, dir_fd=parent, follow_symlinks=False).st_mtime < old:
                os.unlink(name, dir_fd=parent)


def _digest(parent: int, name: str) -> str:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _writing(location: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"{encode_name(location)} cannot be written: {error.strerror}"
        if error.errno in _UNAVAILABLE:
            raise DestinationUnavailable(f"{message}; free space or repair the disk, then run again") from error
        raise DestinationRejected(f"{message}; check the folder and its permissions") from error
