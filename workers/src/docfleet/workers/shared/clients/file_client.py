"""Files of an execution: claims, leases, reports. Always many in one call."""

from __future__ import annotations

from docfleet.core.execution import (
    ClaimRequest,
    ClaimResponse,
    RenewRequest,
    RenewResponse,
    ReportRequest,
    ReportResponse,
)
from docfleet.workers.shared.clients.base import BackendClient


class FileClient(BackendClient):
    """One organization's file executions."""

    def claim(self, execution_id: str, request: ClaimRequest) -> ClaimResponse:
        """Take files under a lease."""
        return self._call(ClaimResponse, "POST", f"v1/workflow-execution/{execution_id}/files/claim/", request)

    def renew(self, execution_id: str, request: RenewRequest) -> RenewResponse:
        """Extend leases; learn which are lost."""
        return self._call(RenewResponse, "POST", f"v1/workflow-execution/{execution_id}/files/renew/", request)

    def report(self, execution_id: str, request: ReportRequest) -> ReportResponse:
        """Write outcomes, and claim the next files in the same call."""
        return self._call(ReportResponse, "POST", f"v1/workflow-execution/{execution_id}/files/report/", request)
