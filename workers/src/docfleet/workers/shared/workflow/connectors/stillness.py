"""Files that are being written are not read: half a document would pass for one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from docfleet.connectors.base import FileState, FileSystemConnector, SourceEntry
from docfleet.core.errors import FileChanging, FileError, FileMissing
from docfleet.core.status import SkipReason

_HELD = 1000
"""The most files that wait together."""
_OPEN_SECONDS = 3600.0
"""A listing looks for writers of files that changed so lately. A fetch looks at every file."""


class Stillness:
    """Waits until files were not written for ``seconds``. Which ones to wait for is known by the time of their last
    change; whether one changed meanwhile is then seen in its state, so that a clock that differs does no harm."""

    def __init__(self, connector: FileSystemConnector, seconds: float) -> None:
        self._connector = connector
        self._seconds = seconds

    def still(self, entries: Iterable[SourceEntry], skip: Callable[[str, str], None]) -> Iterator[SourceEntry]:
        """The entries that nobody writes; the others, and those that are gone meanwhile, are skipped. Entries that
        changed lately come last, after one wait for all of them."""
        held: list[SourceEntry] = []
        for entry in entries:
            if self._seconds and entry.modified_at > time.time() - self._seconds:
                held.append(entry)
                if len(held) == _HELD:
                    yield from self._waited(held, skip)
                    held = []
            elif self._is_open(entry):
                skip(entry.path, SkipReason.STILL_WRITTEN)
            else:
                yield entry
        if held:
            yield from self._waited(held, skip)

    def require(self, path: str) -> FileState | None:
        """The state of a file that nobody writes; None when the connector cannot say. Waits once.

        Raises ``FileChanging``, and as ``FileSystemConnector.open``.
        """
        state = self._connector.state(path)
        if state is None or (not state.is_open and state.modified_at <= time.time() - self._seconds):
            return state
        time.sleep(self._seconds)
        self.compare(path, state)
        return state

    def compare(self, path: str, before: FileState | None, size: int | None = None) -> None:
        """Raise ``FileChanging`` when the file is not as ``before``, is open for writing, or has another ``size``."""
        if before is None:
            return
        now = self._connector.state(path)
        if now is None or (_is_same(now, before) and size in (None, now.size)):
            return
        how = f"it grew from {before.size} to {now.size} bytes" if now.size > before.size else "it changed meanwhile"
        if now.is_open:
            how = "a program has it open for writing"
        raise FileChanging(f"file {path} is still being written ({how}): run again when it is complete")

    def _waited(self, held: list[SourceEntry], skip: Callable[[str, str], None]) -> Iterator[SourceEntry]:
        time.sleep(self._seconds)
        for entry in held:
            try:
                state = self._connector.state(entry.path)
            except FileMissing:
                continue
            except FileError:  # its own fetch says why
                state = None
            if state is None or _is_same(state, entry):
                yield entry
            else:
                skip(entry.path, SkipReason.STILL_WRITTEN)

    def _is_open(self, entry: SourceEntry) -> bool:
        if entry.modified_at < time.time() - _OPEN_SECONDS:
            return False
        try:
            state = self._connector.state(entry.path)
        except FileError:  # its own fetch says why
            return False
        return state is not None and state.is_open


def _is_same(now: FileState, before: FileState | SourceEntry) -> bool:
    return not now.is_open and (now.size, now.modified_at) == (before.size, before.modified_at)
