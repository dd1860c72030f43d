"""A streaming walk of a folder of a server, in the order of ``filesystems.walk``. It is complete or it fails.

A folder is one request: the names come with their attributes. A server has no inodes to tell folders apart, so a
folder is known by its resolved path.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from docfleet.connectors.base import Ignore, OnSkip, SourceEntry
from docfleet.connectors.filesystems.sftp.tree import Attributes, Tree
from docfleet.connectors.filesystems.temporaries import is_temporary
from docfleet.connectors.paths import encode_name, safe_name
from docfleet.core.errors import SourceUnreadable, SourceVanished, UnsafePath
from docfleet.core.status import SkipReason


class _TreeFolder(NamedTuple):
    real: bytes
    relative: str
    level: int


class TreeWalk:
    """One listing of ``tree``, ``max_depth`` folder levels deep; None means all of them."""

    def __init__(
        self, tree: Tree, max_depth: int | None, recursive: bool, on_skip: OnSkip | None, ignore: Ignore | None
    ):
        self._tree = tree
        self._max_depth = max_depth
        self._recursive = recursive
        self._on_skip = on_skip
        self._ignore = ignore
        self._pending: list[_TreeFolder] = []
        self._linked: deque[_TreeFolder] = deque()
        self._seen: set[bytes] = set()

    def files(self, real: bytes, relative: str) -> Iterator[SourceEntry]:
        """The files below the folder ``real`` (resolved), shown as ``relative`` to the root."""
        self._pending.append(_TreeFolder(real, relative, 1))
        while self._pending or self._linked:
            folder = self._pending.pop() if self._pending else self._linked.popleft()
            if folder.real in self._seen:
                self._skip(folder.relative, SkipReason.LISTED_ALREADY)
                continue
            self._seen.add(folder.real)
            yield from self._list(folder)

    def _list(self, folder: _TreeFolder) -> Iterator[SourceEntry]:
        below: list[_TreeFolder] = []
        for raw, attributes in self._names(folder):
            name = os.fsdecode(raw)
            shown = f"{folder.relative}/{encode_name(name)}" if folder.relative else encode_name(name)
            try:
                safe_name(name)
            except UnsafePath:
                # A server may say anything. A name with a slash would lead to a file elsewhere.
                self._skip(shown, SkipReason.NOT_A_FILE)
                continue
            if is_temporary(name):
                continue
            if self._ignore is not None and self._ignore(encode_name(name)):
                self._skip(shown, SkipReason.NO_DOCUMENT)
                continue
            path = folder.real.rstrip(b"/") + b"/" + raw
            queue: list[_TreeFolder] | deque[_TreeFolder] = below
            if stat.S_ISLNK(attributes.mode):
                target = self._target(path, shown)
                if target is None:
                    continue
                path, attributes = target
                queue = self._linked
            if stat.S_ISREG(attributes.mode):
                yield _entry(shown, name, attributes)
            elif stat.S_ISDIR(attributes.mode):
                self._enqueue(queue, _TreeFolder(path, shown, folder.level + 1))
            else:
                self._skip(shown, SkipReason.NOT_A_FILE)
        self._pending.extend(reversed(below))

    def _names(self, folder: _TreeFolder) -> list[tuple[bytes, Attributes]]:
        where = self._tree.show(folder.real)
        try:
            return sorted(self._tree.names(folder.real))
        except FileNotFoundError as error:
            raise SourceVanished(
                f"source folder {where} disappeared while it was being listed: restore it and run again"
            ) from error
        except ConnectionError as error:
            raise SourceUnreadable(f"source folder {where} cannot be listed: {error}; run again") from error
        except OSError as error:
            raise SourceUnreadable(
                f"source folder {where} cannot be read: {error.strerror}; correct it and run again"
            ) from error

    def _target(self, path: bytes, shown: str) -> tuple[bytes, Attributes] | None:
        try:
            real = self._tree.real(path)
            if not self._tree.holds(real):
                self._skip(shown, SkipReason.LINK_OUTSIDE)
                return None
            return real, self._tree.attributes(real)
        except ConnectionError as error:
            raise SourceUnreadable(f"{self._tree.show(path)} cannot be read: {error}; run again") from error
        except OSError:
            self._skip(shown, SkipReason.BROKEN_LINK)
            return None

    def _enqueue(self, queue: list[_TreeFolder] | deque[_TreeFolder], folder: _TreeFolder) -> None:
        if not self._recursive:
            return
        if self._max_depth is not None and folder.level > self._max_depth:
            self._skip(folder.relative, SkipReason.TOO_DEEP)
        else:
            queue.append(folder)

    def _skip(self, shown: str, reason: SkipReason) -> None:
        if self._on_skip is not None:
            self._on_skip(shown, reason)


def _entry(shown: str, name: str, attributes: Attributes) -> SourceEntry:
    return SourceEntry(
        path=shown,
        name=encode_name(name),
        size=attributes.size,
        modified_at=attributes.modified_at,
        fs_metadata={"mode": f"{stat.S_IMODE(attributes.mode):04o}"},
    )
