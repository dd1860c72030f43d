"""Faults that are armed in running processes by a file, and which processes they met."""

from __future__ import annotations

import uuid
from pathlib import Path

from tests.waiting import until


class ArmedFaults:
    """In the processes whose ``DOCFLEET_FAULTS_FOLDER`` is ``faults``."""

    faults: Path

    def arm(self, text: str) -> None:
        """Arm faults in all processes, as ``docfleet.core.faults`` writes them; counts begin anew."""
        draft = self.faults / f"draft-{uuid.uuid4().hex}"
        draft.write_text(f"# {uuid.uuid4().hex}\n{text}\n")
        draft.replace(self.faults / "armed")

    def disarm(self) -> None:
        """No fault meets from now on, and who is held goes on."""
        (self.faults / "armed").unlink(missing_ok=True)
        for marker in self.faults.glob("*.*.*"):
            marker.unlink(missing_ok=True)

    def met(self, point: str) -> list[int]:
        """The process ids that a fault at this point has met since the last ``disarm``; a restarted counter is new."""
        found = []
        for marker in self.faults.glob(f"{point}.[0-9]*"):
            pid, _, action = marker.read_text().partition(" ")
            if pid and action.strip() not in ("", "-"):
                found.append(int(pid))
        return found

    def await_met(self, point: str, times: int = 1, seconds: float = 60.0) -> list[int]:
        """Return when a fault at this point has met so many times."""
        until(lambda: len(self.met(point)) >= times, seconds, what=f"{point} was met {len(self.met(point))} times")
        return self.met(point)
