"""The content of one file, streamed from ``rclone cat``."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tempfile
from collections.abc import Callable
from typing import Any

import msgspec

from docfleet.connectors.filesystems.rclone.process import Failed, Rclone, end
from docfleet.core.errors import FileChanging, SourceUnavailable

_HASHES = ("sha256", "sha1", "md5")
"""Of the hashes that servers give, those that ``hashlib`` has: the strongest first."""


class Item(msgspec.Struct, frozen=True, rename="pascal"):
    """One line of ``rclone lsjson``."""

    path: str
    name: str
    size: int
    mod_time: str = ""
    is_dir: bool = False
    hashes: dict[str, str] = {}
    id: str = msgspec.field(default="", name="ID")

    @property
    def hash(self) -> tuple[str, str] | None:
        """The name and the hex digits of a hash of the content."""
        return next(((name, self.hashes[name]) for name in _HASHES if self.hashes.get(name)), None)


class RcloneContent(io.RawIOBase):
    """At the end it is seen whether it was complete, has the hash that the server gave, and is still the same file."""

    def __init__(self, rclone: Rclone, remote: str, shown: str, item: Item, now: Callable[[], Item | None]) -> None:
        self._rclone = rclone
        self._shown = shown
        self._item = item
        self._now = now
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close
        self._position = 0
        self._digest = hashlib.new(item.hash[0], usedforsecurity=False) if item.hash else None
        self._child = rclone.start(
            "cat", remote, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors, bufsize=0
        )

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises ``SourceUnavailable`` or ``FileChanging``."""
        assert self._child.stdout is not None
        count = self._child.stdout.readinto(buffer)  # type: ignore[attr-defined]
        if not count:
            self._require_complete()
            return 0
        self._position += count
        if self._digest is not None:
            self._digest.update(memoryview(buffer)[:count])
        return int(count)

    def close(self) -> None:
        """End the child."""
        if not self.closed:
            super().close()
            end(self._child)
            self._errors.close()

    def _require_complete(self) -> None:
        try:
            self._rclone.require(self._child.wait(), self._errors)
        except Failed as error:
            raise SourceUnavailable(f"file {self._shown} cannot be read to its end: {error}") from error
        whole = self._item.size in (-1, self._position)
        same = self._digest is None or self._item.hash is None or self._digest.hexdigest() == self._item.hash[1].lower()
        if not whole or not same or self._now() != self._item:
            raise FileChanging(f"file {self._shown} changed while it was read: run again when it is complete")
