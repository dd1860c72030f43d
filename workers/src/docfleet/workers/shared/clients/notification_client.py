"""Notifications: what to send where, and how it went."""

from __future__ import annotations

from docfleet.core.notify import BatchClaim, BatchClaimRequest, BatchReport, BatchState
from docfleet.workers.shared.clients.base import BackendClient


class NotificationClient(BackendClient):
    """One organization's notifications."""

    def claim(self, batch_id: str, lease_seconds: float) -> BatchClaim:
        """Take a batch. Holds credentials: keep it in memory."""
        request = BatchClaimRequest(lease_seconds=lease_seconds)
        return self._call(BatchClaim, "POST", f"v1/notifications/batches/{batch_id}/claim/", request)

    def report(self, batch_id: str, report: BatchReport) -> BatchState:
        """Report the outcome of the attempt; harmless to repeat. Never behind a breaker."""
        return self._call(BatchState, "POST", f"v1/notifications/batches/{batch_id}/report/", report, final=True)
