"""What rclone speaks as source and destination.

A file is written under a temporary name, compared, and then given its name. rclone removes a file of that name first:
whoever looks in between sees no file, but never a part of one. A repeat with the same content changes nothing.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, BinaryIO, ClassVar, cast

import msgspec

from docfleet.connectors.base import ConnectorInfo, FileState, ForkGuard, Ignore, OnSkip, SourceEntry, WriteFence
from docfleet.connectors.filesystems.content import CHUNK_BYTES, read_chunk
from docfleet.connectors.filesystems.rclone.backends import BACKENDS, Backend
from docfleet.connectors.filesystems.rclone.content import Item, RcloneContent
from docfleet.connectors.filesystems.rclone.process import Failed, NotThere, Rclone, RemoteUnavailable
from docfleet.connectors.filesystems.temporaries import (
    ABANDONED_SECONDS,
    is_temporary,
    temporaries_until,
    temporary_name,
)
from docfleet.connectors.paths import encode_name, file_parts, path_parts, safe_name
from docfleet.connectors.settings import stored_settings
from docfleet.core.errors import (
    DestinationRejected,
    DestinationUnavailable,
    Fenced,
    FileError,
    FileMissing,
    SourceNotFound,
    SourceUnavailable,
    SourceUnreadable,
    SourceVanished,
    UnsafePath,
)
from docfleet.core.status import SkipReason


class RcloneFileSystem(ForkGuard):
    """One of rclone's backends. Each request is a child process; nothing is held between them.

    ``provider_file_uuid`` is of the server's hashes and its id of the file; None where it has no hash.
    """

    backend: ClassVar[Backend]
    info: ClassVar[ConnectorInfo]

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._name = self.info.short_name
        super().__init__(self._name)
        self._settings = stored_settings(self.info, settings)
        self._options = self.backend.options(self._settings)
        self._root = "/".join(path_parts(self.backend.root(self._settings).strip().lstrip("/")))
        host = self._settings.get("host") or self._settings.get("url") or self._settings.get("drive_id") or ""
        self._base = f"{self._name}:{host}/{self._root}".rstrip("/") + "/"
        self._made: Rclone | None = None
        self._swept: set[str] = set()

    def check(self, *, write: bool = False) -> None:
        """See ``FileSystemConnector``."""
        self._guard()
        if not write:
            self._listed(())
            return
        with self._writing(""):
            probe = temporary_name("", None)
            self._rclone.output("rcat", self._remote(probe), feed=lambda target: None)
            self._rclone.output("deletefile", self._remote(probe))

    def list_files(
        self,
        folder: str = "",
        *,
        recursive: bool,
        max_depth: int | None = None,
        on_skip: OnSkip | None = None,
        ignore: Ignore | None = None,
    ) -> Iterator[SourceEntry]:
        """See ``FileSystemConnector``. Files of one folder come sorted by name, before those of its subfolders. One
        request a folder: only its names are held."""
        self._guard()
        parts = path_parts(folder.lstrip("/"))
        return self._walk(parts, self._listed(parts), max_depth if recursive else 1, recursive, on_skip, ignore)

    def open(self, path: str) -> BinaryIO:
        """See ``FileSystemConnector``. Reading it raises ``FileChanging`` when the file changed meanwhile, and
        ``SourceUnavailable`` when the server is gone."""
        self._guard()
        item = self._file(path)
        remote = self._remote(*path_parts(path))

        def now() -> Item | None:
            with self._reading(path):
                return self._stat(remote)

        content = RcloneContent(self._rclone, remote, self._base + path, item, now)
        return cast("BinaryIO", io.BufferedReader(content, CHUNK_BYTES))

    def state(self, path: str) -> FileState:
        """See ``FileSystemConnector``."""
        self._guard()
        item = self._file(path)
        return FileState(item.size, _seconds(item.mod_time))

    def write_file(self, path: str, source: BinaryIO, fence: WriteFence | None = None) -> str:
        """See ``FileSystemConnector``. Missing folders are created; returns ``NAME:HOST/FOLDER/PATH``."""
        self._guard()
        parts = file_parts(path)
        with self._writing(path):
            target = self._remote(*parts)
            if (there := self._stat(target)) is not None and there.is_dir:
                raise DestinationRejected(f"{self._base}{path} cannot be written: a folder stands there")
            self._sweep(parts[:-1])
            if fence is not None:
                self._remove_temporaries(parts, fence)
            temporary = self._remote(*parts[:-1], temporary_name(parts[-1], fence))
            try:
                digest = self._upload(temporary, source, path)
                if fence is not None:
                    fence.require()
                if there is None or self._digest(parts) != digest:
                    self._give_name(temporary, target, path, fence)
                else:
                    self._remove(temporary)
            except BaseException:
                with suppress(Failed):
                    self._remove(temporary)
                raise
        return self._base + encode_name("/".join(parts))

    def withdraw_file(self, path: str, digest: str, fence: WriteFence) -> bool:
        """See ``FileSystemConnector``."""
        self._guard()
        parts = path_parts(path)
        fence.require()
        with self._writing(path):
            self._remove_temporaries(parts, fence)
            if self._digest(parts) != digest:
                return False
            return self._remove(self._remote(*parts))

    def path_of(self, location: str) -> str:
        """See ``FileSystemConnector``."""
        self._guard()
        if not location.startswith(self._base):
            raise FileMissing(f"{location} is not in {self._base}: the destination's settings were changed since")
        return location[len(self._base) :]

    def close(self) -> None:
        """See ``FileSystemConnector``; nothing is held between calls."""
        self._guard()

    @property
    def _rclone(self) -> Rclone:
        if self._made is None:
            secrets = [str(self._settings[name]) for name in self.info.secrets if name in self._settings]
            self._made = Rclone(self.backend.kind, self._options, self.backend.passwords, tuple(secrets))
        return self._made

    def _remote(self, *parts: str) -> str:
        path = "/".join((*((self._root,) if self._root else ()), *parts))
        try:
            path.encode()
        except UnicodeEncodeError as error:
            raise UnsafePath(
                f"{encode_name(path)} is not valid Unicode, which {self._name} needs: rename it"
            ) from error
        return f"remote:{path}"

    def _stat(self, remote: str) -> Item | None:
        try:
            found = self._rclone.output("lsjson", "--stat", "--hash", "--no-mimetype", remote)
        except NotThere:
            return None
        return msgspec.json.decode(found, type=Item | None)

    def _file(self, path: str) -> Item:
        parts = path_parts(path)
        with self._reading(path):
            item = self._stat(self._remote(*parts))
        if item is None:
            raise FileMissing(f"file {self._base}{path} is no longer there: it was moved or deleted; send it again")
        if item.is_dir:
            raise FileError(f"{self._base}{path} cannot be read: it is not a regular file")
        return item

    def _listed(self, parts: tuple[str, ...], *, vanished: bool = False) -> list[Item]:
        shown = self._base + encode_name("/".join(parts))
        remote = self._remote(*parts)
        try:
            items = msgspec.json.decode(
                self._rclone.output("lsjson", "--hash", "--no-mimetype", remote), type=list[Item]
            )
            if len(items) == 1 and parts and not items[0].is_dir and items[0].path == parts[-1]:
                # A file's name lists that file.
                there = self._stat(remote)
                if there is not None and not there.is_dir:
                    raise SourceUnreadable(f"source {shown} is not a folder: name the folder that holds the files")
        except NotThere as error:
            if vanished:
                raise SourceVanished(
                    f"source folder {shown} disappeared while it was being listed: restore it and run again"
                ) from error
            raise SourceNotFound(f"source folder {shown} does not exist: create it or correct the path") from error
        except Failed as error:
            raise SourceUnreadable(f"source folder {shown} cannot be read: {error}") from error
        return sorted(items, key=lambda item: item.name)

    def _walk(
        self,
        parts: tuple[str, ...],
        items: list[Item],
        levels: int | None,
        recursive: bool,
        on_skip: OnSkip | None,
        ignore: Ignore | None,
    ) -> Iterator[SourceEntry]:
        skip = on_skip or (lambda path, reason: None)
        pending: list[tuple[tuple[str, ...], int, list[Item] | None]] = [(parts, 1, items)]
        while pending:
            parts, level, known = pending.pop()
            below: list[tuple[tuple[str, ...], int, list[Item] | None]] = []
            for item in self._listed(parts, vanished=True) if known is None else known:
                path = encode_name("/".join((*parts, item.name)))
                if is_temporary(item.name):
                    continue
                if ignore is not None and ignore(encode_name(item.name)):
                    skip(path, SkipReason.NO_DOCUMENT)
                elif not _is_name(item.name):
                    skip(path, SkipReason.NOT_A_FILE)
                elif not item.is_dir:
                    yield _entry(path, item)
                elif recursive and levels is not None and level + 1 > levels:
                    skip(path, SkipReason.TOO_DEEP)
                elif recursive:
                    below.append(((*parts, item.name), level + 1, None))
            pending.extend(reversed(below))

    def _upload(self, remote: str, source: BinaryIO, path: str) -> str:
        """The SHA-256 of what was written, after a look at what the server has."""
        digests = {name: hashlib.new(name, usedforsecurity=False) for name in ("sha256", "sha1", "md5")}
        written = 0

        def feed(target: BinaryIO) -> None:
            nonlocal written
            while chunk := read_chunk(source):
                target.write(chunk)
                written += len(chunk)
                for digest in digests.values():
                    digest.update(chunk)

        self._rclone.output("rcat", remote, feed=feed)
        there = self._stat(remote)
        if there is None:
            raise Fenced(f"a later attempt has taken over the delivery of {self._base}{path}")
        is_same = there.hash is None or digests[there.hash[0]].hexdigest() == there.hash[1].lower()
        if there.size not in (-1, written) or not is_same:
            raise DestinationUnavailable(f"{self._base}{path} arrived otherwise than it was sent: run again")
        return digests["sha256"].hexdigest()

    def _give_name(self, temporary: str, target: str, path: str, fence: WriteFence | None) -> None:
        try:
            # Otherwise a file of the same size and date counts as the same: rclone would keep the old content.
            self._rclone.output("moveto", "--ignore-times", temporary, target)
        except NotThere as error:
            attempt = fence.attempt if fence is not None else 0
            raise Fenced(f"a later attempt than {attempt} has taken over the delivery of {self._base}{path}") from error

    def _digest(self, parts: tuple[str, ...]) -> str:
        """The SHA-256 of a file as the destination gives it back; empty where there is none."""
        remote = self._remote(*parts)
        item = self._stat(remote)
        if item is None or item.is_dir:
            return ""
        digest = hashlib.sha256()
        with io.BufferedReader(RcloneContent(self._rclone, remote, remote, item, lambda: item), CHUNK_BYTES) as content:
            while chunk := content.read(CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def _remove(self, remote: str) -> bool:
        try:
            self._rclone.output("deletefile", remote)
        except NotThere:
            return False
        return True

    def _remove_temporaries(self, parts: tuple[str, ...], fence: WriteFence) -> None:
        own = temporary_name(parts[-1], fence)
        for name in temporaries_until(parts[-1], fence):
            if name != own:  # it is overwritten
                self._remove(self._remote(*parts[:-1], name))

    def _sweep(self, folder: tuple[str, ...]) -> None:
        """Remove what killed writers left in a folder, at the first delivery into it."""
        remote = self._remote(*folder)
        if remote in self._swept:
            return
        self._swept.add(remote)
        try:
            items = msgspec.json.decode(self._rclone.output("lsjson", "--no-mimetype", remote), type=list[Item])
        except NotThere:
            return
        for item in items:
            if is_temporary(item.name) and _seconds(item.mod_time) < time.time() - ABANDONED_SECONDS:
                self._remove(self._remote(*folder, item.name))

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        try:
            yield
        except RemoteUnavailable as error:
            raise SourceUnavailable(f"file {self._base}{path} cannot be read: {error}") from error
        except Failed as error:
            raise FileError(f"file {self._base}{path} cannot be read: {error}") from error

    @contextmanager
    def _writing(self, path: str) -> Iterator[None]:
        message = f"{self._base}{path} cannot be written"
        try:
            yield
        except (RemoteUnavailable, SourceUnavailable) as error:
            raise DestinationUnavailable(f"{message}: {error}; run again") from error
        except Failed as error:
            raise DestinationRejected(f"{message}: {error}; check the folder, the login and its rights") from error


def _connector(kind: str) -> type[RcloneFileSystem]:
    backend = BACKENDS[kind]
    return type(f"Rclone{kind.title()}", (RcloneFileSystem,), {"backend": backend, "info": backend.info})


WebdavFileSystem = _connector("webdav")
FtpFileSystem = _connector("ftp")
SmbFileSystem = _connector("smb")
DriveFileSystem = _connector("drive")
DropboxFileSystem = _connector("dropbox")
OnedriveFileSystem = _connector("onedrive")


def _is_name(name: str) -> bool:
    try:
        safe_name(name)
    except UnsafePath:
        return False
    return True


def _entry(path: str, item: Item) -> SourceEntry:
    uuid = None
    if item.hashes:
        # The id, because two files of one content are two documents.
        hashes = sorted(item.hashes.items())
        uuid = hashlib.sha256(msgspec.json.encode([path, item.id, hashes])).hexdigest()
    return SourceEntry(
        path=path,
        name=encode_name(item.name),
        size=max(item.size, 0),
        modified_at=_seconds(item.mod_time),
        provider_file_uuid=uuid,
        fs_metadata={"hashes": item.hashes, "id": item.id},
    )


def _seconds(moment: str) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return 0.0
