"""Logs of executions."""

from __future__ import annotations

from docfleet.core.log_events import LogBatch, LogsWritten
from docfleet.workers.shared.clients.base import BackendClient


class LogClient(BackendClient):
    """One organization's logs."""

    def write(self, batch: LogBatch) -> LogsWritten:
        """Write lines; harmless to repeat. Never behind a breaker."""
        return self._call(LogsWritten, "POST", "v1/logs/", batch, final=True)
