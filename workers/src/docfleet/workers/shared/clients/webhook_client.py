"""Webhooks and other notifications: claims of batches to deliver, and reports about the deliveries."""

from __future__ import annotations

from docfleet.core.notify import (
    NotificationBatchClaim,
    NotificationBatchClaimRequest,
    NotificationBatchReport,
    NotificationBatchState,
)
from docfleet.workers.shared.clients.base import BackendClient


class WebhookClient(BackendClient):
    """One organization's notifications."""

    def claim(self, batch_id: str, lease_seconds: float) -> NotificationBatchClaim:
        """Take a batch. Holds credentials: keep it in memory."""
        request = NotificationBatchClaimRequest(lease_seconds=lease_seconds)
        return self._call(NotificationBatchClaim, "POST", f"v1/notifications/batches/{batch_id}/claim/", request)

    def report(self, batch_id: str, report: NotificationBatchReport) -> NotificationBatchState:
        """Report the outcome of an attempt; harmless to repeat. Never behind a breaker."""
        return self._call(
            NotificationBatchState, "POST", f"v1/notifications/batches/{batch_id}/report/", report, final=True
        )
