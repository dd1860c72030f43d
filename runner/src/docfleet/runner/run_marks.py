"""Marks of runs that were started and have not ended.

They are on the storage and so outlive a runner that dies with a run, as when the kernel kills a container for the
memory of one tool. Which of its runs did that is unknown. Each of them therefore runs alone the next time, so that the
next death has one cause only.
"""

from __future__ import annotations

from pathlib import Path

from docfleet.core.runs import RunRequest
from docfleet.core.storage import safe_segment

MAX_DEATHS = 3
"""So many runners may die over a run before it fails. In all but the first, the run was alone."""


class RunMark:
    """The mark of one step of one file; all attempts share it. Raises ``UnsafePath``."""

    def __init__(self, folder: Path, request: RunRequest) -> None:
        """``folder`` is that of the attempt. The mark is beside it and is removed with the execution at the latest."""
        name = safe_segment(request.file_execution_id or folder.name)
        self._path = folder.parent / f".begun-{name}.{request.step}"

    def deaths(self) -> int:
        """How many runners have died over it."""
        try:
            return int(self._path.read_text())
        except (FileNotFoundError, ValueError):  # an empty mark: the run was not started
            return 0

    def note(self, deaths: int) -> None:
        """The run starts, after so many deaths. If this runner dies, there is one more."""
        self._path.write_text(str(deaths + 1))

    def clear(self) -> None:
        """The run ended and its runner lives."""
        self._path.unlink(missing_ok=True)
