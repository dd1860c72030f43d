"""Marks of runs that were begun and have not ended.

They lie on the storage and so outlive a runner that goes down with a run, as when the kernel ends a whole container
for the memory of one tool. Nobody can say which of its runs did that; a run that was in it is therefore carried out
alone the next time, so that the next death has one cause only.
"""

from __future__ import annotations

from pathlib import Path

from docfleet.core.runs import RunRequest
from docfleet.core.storage import safe_segment

MOST_DEATHS = 3
"""So many runners may die over a run before it fails, and in all but the first it was alone."""


class Begun:
    """The mark of one step of one file, whichever attempt it is. Raises ``UnsafePath``."""

    def __init__(self, folder: Path, request: RunRequest) -> None:
        """``folder`` is the attempt's: the mark is beside it, and goes with the execution at the latest."""
        name = safe_segment(request.file_execution_id or folder.name)
        self._path = folder.parent / f".begun-{name}.{request.step}"

    def deaths(self) -> int:
        """How many runners have died over it."""
        try:
            return int(self._path.read_text())
        except (FileNotFoundError, ValueError):  # an empty one was not even begun
            return 0

    def note(self, deaths: int) -> None:
        """It begins, after so many deaths. Should this runner die, there is one more."""
        self._path.write_text(str(deaths + 1))

    def clear(self) -> None:
        """It ended, and its runner with it or not at all."""
        self._path.unlink(missing_ok=True)
