"""The slot of a batch: what it has used of it, and whether it has to ask whether it may keep it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from docfleet.core.batch_calls import SlotAnswer, SlotUse
from docfleet.workers.shared.infrastructure.process.slot_hints import hint_count, takes_api

MIN_SECONDS = 0.2
"""The shortest time between two reports that only a hint causes."""


class Slot:
    """Measures from when it is made, which is when the batch takes its slot. ``yielded_at``: see ``SlotUse``."""

    def __init__(
        self,
        yielded_at: float = 0.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        hints: Callable[[], tuple[int, int]] = hint_count,
    ) -> None:
        self._clock = clock
        self._hints = hints
        self._yielded_at = yielded_at
        self._taken = self._reported = self._clock()
        self._pages = 0
        self._files = 0
        self._answer = SlotAnswer()
        self._contended = False
        self._was_used_up = False
        self._seen = self._hints()

    @property
    def answer(self) -> SlotAnswer:
        """The backend's last answer."""
        return self._answer

    @property
    def has_to_yield(self) -> bool:
        """Whether the slot is to be given up now."""
        return self._answer.yield_slot

    def add_file(self, pages: int) -> None:
        """Count a file."""
        self._files += 1
        self._pages += max(1, pages)

    def use(self) -> SlotUse:
        """What the batch has used, for the report that is about to be sent."""
        now = self._clock()
        self._was_used_up = self._is_used_up()
        return SlotUse(
            seconds=now - self._taken,
            pages=self._pages,
            contended_seconds=now - self._reported if self._contended else 0.0,
            yielded_at=self._yielded_at,
            takes_api=takes_api(),
            hinted=self._is_wanted(),
        )

    def answered(self, answer: SlotAnswer | None, seen: tuple[int, int]) -> None:
        """Note the answer to a report. ``seen``: the hints that had arrived when it was sent. None: the backend did not
        look, since nobody waited before and the quantum is not used up."""
        self._reported = self._clock()
        self._contended = answer is not None and answer.others_wait
        if answer is not None:
            self._answer, self._seen = answer, seen

    def report_is_due(self) -> bool:
        """Whether to report before the time: the quantum has just been used up while others wait, or a hint came."""
        if self._contended and not self._was_used_up and self._is_used_up():
            return True
        return self._is_wanted() and self._clock() - self._reported >= MIN_SECONDS

    def claim_limit(self, limit: int) -> int:
        """How many files to claim, at most ``limit``: while others wait, no more than the quantum is likely to take."""
        if not self._contended or not self._files:
            return limit
        used, quantum = self._clock() - self._taken, self._answer.quantum_seconds
        # A batch that keeps its slot beyond its quantum may go on for another one.
        left = quantum - used if used < quantum else quantum
        return max(1, min(limit, math.ceil(left * self._files / max(used, 1e-6))))

    def _is_used_up(self) -> bool:
        quantum, used = self._answer, self._clock() - self._taken
        if not quantum.quantum_seconds:
            return False  # an older backend
        return used >= quantum.quantum_seconds or self._pages >= quantum.quantum_pages

    def _is_wanted(self) -> bool:
        runs, calls = self._hints()
        if takes_api() and calls != self._seen[1]:
            return True
        return not self._answer.is_api and runs != self._seen[0]
