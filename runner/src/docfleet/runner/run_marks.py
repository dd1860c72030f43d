"""What the next attempt at a run has to know of the ones before. It is on the storage, beside the attempts' folders.

A mark of a run that was started and has not ended outlives a runner that dies during it: for example when the kernel
kills a container for the memory of one tool. Which of its runs caused that is unknown. Each of them runs alone the next
time, so that the next death has one possible cause.

A mark of a long run says that it needs a place for long runs from the start.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from docfleet.core.runs import RunRequest
from docfleet.core.storage import safe_segment

MAX_DEATHS = 3
"""The number of runners that may die during a run before it fails. In all but the first, it ran alone."""


class RunMark:
    """The mark of one step of one file; all attempts share it. Raises ``UnsafePath``."""

    def __init__(self, folder: Path, request: RunRequest) -> None:
        """``folder`` is that of the attempt. The mark is beside it and is removed with the execution at the latest."""
        name = safe_segment(request.file_execution_id or folder.name)
        self._path = folder.parent / f".begun-{name}.{request.step}"
        self._long = folder.parent / f".long-{name}.{request.step}"

    def deaths(self) -> int:
        """How many runners have died during it."""
        try:
            return int(self._path.read_text())
        except (FileNotFoundError, ValueError):  # an empty mark: the run was not started
            return 0

    def note(self, deaths: int) -> None:
        """Note that the run starts, after this number of ``deaths``. If this runner dies, there is one more."""
        self._path.write_text(str(deaths + 1))

    def clear(self) -> None:
        """Remove the mark: the run ended and its runner is alive."""
        self._path.unlink(missing_ok=True)

    def is_long(self) -> bool:
        """Whether an earlier attempt was past its first limit."""
        return self._long.exists()

    def note_long(self) -> None:
        """Note that the run is past its first limit. Stays until the execution's folder goes."""
        with contextlib.suppress(OSError):  # without it the next attempt only has its first limit once more
            self._long.touch()
