"""Files of an execution: claims, leases, reports. Always many in one call."""

from __future__ import annotations

from docfleet.core.batch_calls import (
    AddRequest,
    AddResponse,
    ClaimRequest,
    ClaimResponse,
    RenewRequest,
    RenewResponse,
    ReportRequest,
    ReportResponse,
)
from docfleet.workers.shared.clients.base import BackendClient

RENEWALS = 3
"""How often a lease is renewed before it would expire. A call takes no longer than the time between two renewals."""


class FileClient(BackendClient):
    """One organization's file executions."""

    def add(self, execution_id: str, request: AddRequest) -> AddResponse:
        """Write the rows of files that no listing registered."""
        return self._call(AddResponse, "POST", f"v1/workflow-execution/{execution_id}/files/add/", request)

    def claim(self, execution_id: str, request: ClaimRequest) -> ClaimResponse:
        """Take files under a lease."""
        return self._call(ClaimResponse, "POST", f"v1/workflow-execution/{execution_id}/files/claim/", request)

    def renew(self, execution_id: str, request: RenewRequest) -> RenewResponse:
        """Extend leases. Returns which are lost. It is called from another thread than the batch's and bypasses the
        breaker, where it would queue behind the batch's own call. It times out before the next renewal is due."""
        path = f"v1/workflow-execution/{execution_id}/files/renew/"
        seconds = request.lease_seconds / RENEWALS
        return self._call(RenewResponse, "POST", path, request, final=True, timeout=seconds)

    def report(self, execution_id: str, request: ReportRequest) -> ReportResponse:
        """Write outcomes, and claim the next files in the same call."""
        return self._call(ReportResponse, "POST", f"v1/workflow-execution/{execution_id}/files/report/", request)
