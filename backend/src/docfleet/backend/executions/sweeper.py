"""Sweeps of this process: those that the scheduler requests, and one at once after the death of a worker."""

from __future__ import annotations

import time

from docfleet.backend.executions.sweep import Sweep, SweepResult
from docfleet.backend.executions.sweep_metrics import SweepMetrics
from docfleet.backend.platform.background import Background
from docfleet.backend.platform.db import Database
from docfleet.backend.platform.dispatch import Dispatcher
from docfleet.backend.settings import BackendSettings

ATTEMPTS = 5
RETRY_SECONDS = 1.0


class Sweeper(Background):
    """``wake`` sweeps at once, in a thread of its own. The scheduler's next sweep does what it misses."""

    def __init__(
        self, database: Database, dispatcher: Dispatcher, settings: BackendSettings, metrics: SweepMetrics
    ) -> None:
        super().__init__("sweep", self._sweep_soon)
        self._database = database
        self._dispatcher = dispatcher
        self._settings = settings
        self._metrics = metrics

    def sweep(self) -> tuple[Sweep, SweepResult]:
        """Sweep now, and count it if no other sweeper was at it."""
        started = time.monotonic()
        current = Sweep(self._database, self._dispatcher, self._settings)
        result = current.run()
        if current.is_leader:
            self._metrics.add(result, time.monotonic() - started)
        return current, result

    def _sweep_soon(self) -> None:
        for _ in range(ATTEMPTS):
            # Another sweeper may be past the step that this one was woken for.
            if self.sweep()[0].is_leader:
                return
            time.sleep(RETRY_SECONDS)
