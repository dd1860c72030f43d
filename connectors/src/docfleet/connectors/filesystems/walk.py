"""A streaming walk of a folder. It is complete or it fails.

Only the names of one folder are held at a time. Real folders come first; a linked folder inside the root is
visited at the end and only if its target was not listed already, so loops end and no file is listed twice
through two folders.
"""

# a Path for every file of a large folder costs more than the walk
# ruff: noqa: PTH116, PTH118

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from docfleet.connectors.base import Ignore, OnSkip, SourceEntry
from docfleet.connectors.paths import encode_name
from docfleet.core.errors import SourceUnreadable, SourceVanished
from docfleet.core.status import SkipReason


class _Folder(NamedTuple):
    real: str
    relative: str
    level: int


class Walk:
    """One listing below ``root`` (a resolved path), ``max_depth`` folder levels deep; None means all of them."""

    def __init__(
        self,
        root: str,
        max_depth: int | None,
        recursive: bool,
        on_skip: OnSkip | None,
        hidden: Callable[[str], bool],
        ignore: Ignore | None = None,
    ) -> None:
        """Entries whose names are ``hidden`` are not even counted."""
        self._root = root
        self._max_depth = max_depth
        self._recursive = recursive
        self._on_skip = on_skip
        self._hidden = hidden
        self._ignore = ignore
        self._pending: list[_Folder] = []
        self._linked: deque[_Folder] = deque()
        self._seen: set[tuple[int, int]] = set()

    def files(self, real: str, relative: str) -> Iterator[SourceEntry]:
        """The files below the folder ``real``, shown as ``relative`` to the root."""
        self._pending.append(_Folder(real, relative, 1))
        while self._pending or self._linked:
            folder = self._pending.pop() if self._pending else self._linked.popleft()
            yield from self._list(folder)

    def _list(self, folder: _Folder) -> Iterator[SourceEntry]:
        try:
            status = os.stat(folder.real)
            identity = (status.st_dev, status.st_ino)
            if identity in self._seen:
                self._skip(folder.relative, SkipReason.LISTED_ALREADY)
                return
            self._seen.add(identity)
            names, folders = _names(folder.real)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                self._skip(folder.relative, SkipReason.PATH_TOO_LONG)
                return
            raise self._failure(folder, error) from error
        below: list[_Folder] = []
        for name in names:
            if self._hidden(name):
                continue
            if self._ignore is not None and self._ignore(encode_name(name)):
                self._skip(f"{folder.relative}/{name}" if folder.relative else name, SkipReason.NO_DOCUMENT)
                continue
            path = os.path.join(folder.real, name)
            try:
                status = os.lstat(path)
            except OSError as error:
                if error.errno == errno.ENAMETOOLONG:
                    self._skip(f"{folder.relative}/{name}", SkipReason.PATH_TOO_LONG)
                    continue
                self._absent(folder, identity, error)
                if name in folders:
                    raise self._failure(_Folder(path, name, folder.level + 1), error) from error
                continue
            shown = f"{folder.relative}/{name}" if folder.relative else name
            if stat.S_ISREG(status.st_mode):
                yield _entry(shown, name, status)
            elif stat.S_ISDIR(status.st_mode):
                self._enqueue(below, _Folder(path, shown, folder.level + 1))
            elif stat.S_ISLNK(status.st_mode):
                yield from self._link(path, shown, name, folder.level)
            else:
                self._skip(shown, SkipReason.NOT_A_FILE)
        self._pending.extend(reversed(below))

    def _link(self, path: str, shown: str, name: str, level: int) -> Iterator[SourceEntry]:
        try:
            real = os.path.realpath(path, strict=True)
            status = os.stat(real)
        except OSError:
            self._skip(shown, SkipReason.BROKEN_LINK)
            return
        if real != self._root and not real.startswith(self._root.rstrip("/") + "/"):
            self._skip(shown, SkipReason.LINK_OUTSIDE)
        elif stat.S_ISREG(status.st_mode):
            yield _entry(shown, name, status)
        elif stat.S_ISDIR(status.st_mode):
            self._enqueue(self._linked, _Folder(real, shown, level + 1))
        else:
            self._skip(shown, SkipReason.NOT_A_FILE)

    def _enqueue(self, queue: list[_Folder] | deque[_Folder], folder: _Folder) -> None:
        if not self._recursive:
            return
        if self._max_depth is not None and folder.level > self._max_depth:
            self._skip(folder.relative, SkipReason.TOO_DEEP)
        else:
            queue.append(folder)

    def _absent(self, folder: _Folder, identity: tuple[int, int], error: OSError) -> None:
        """A listed name has no file: fine when only the file is gone, an error when its folder is."""
        try:
            status = os.stat(folder.real)
        except OSError as gone:
            raise self._failure(folder, gone) from gone
        if error.errno != errno.ENOENT:
            raise self._failure(folder, error) from error
        if (status.st_dev, status.st_ino) != identity:
            raise self._failure(folder, error) from error

    def _failure(self, folder: _Folder, error: OSError) -> SourceUnreadable | SourceVanished:
        shown = encode_name(folder.real)
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE):
            return SourceVanished(
                f"source folder {shown} disappeared while it was being listed: restore it and run again"
            )
        return SourceUnreadable(f"source folder {shown} cannot be read: {error.strerror}; correct it and run again")

    def _skip(self, shown: str, reason: SkipReason) -> None:
        if self._on_skip is not None:
            self._on_skip(encode_name(shown), reason)


def _names(folder: str) -> tuple[list[str], set[str]]:
    """The names in a folder, sorted, and which of them are folders (known without a ``stat`` each)."""
    names = []
    folders = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            names.append(entry.name)
            if entry.is_dir(follow_symlinks=False):
                folders.add(entry.name)
    names.sort()
    return names, folders


def _entry(shown: str, name: str, status: os.stat_result) -> SourceEntry:
    return SourceEntry(
        path=encode_name(shown),
        name=encode_name(name),
        size=status.st_size,
        modified_at=status.st_mtime,
        fs_metadata={
            "mode": f"{stat.S_IMODE(status.st_mode):04o}",
            "inode": status.st_ino,
            "modified_ns": status.st_mtime_ns,
        },
    )
