"""Executions: registration, start, final status."""

from __future__ import annotations

from docfleet.core.batch_calls import (
    FinalizeRequest,
    FinalizeResponse,
    PutOffRequest,
    PutOffResponse,
    RegisterRequest,
    RegisterResponse,
    StartRequest,
    StartResponse,
)
from docfleet.core.waiting import Wait
from docfleet.workers.shared.clients.base import BackendClient


class ExecutionClient(BackendClient):
    """One organization's executions."""

    def register(self, execution_id: str, page: RegisterRequest) -> RegisterResponse:
        """Write one page of files as rows, before anything about them is sent."""
        return self._call(RegisterResponse, "POST", f"v1/workflow-execution/{execution_id}/files/register/", page)

    def start(self, execution_id: str, request: StartRequest) -> StartResponse:
        """Report that the source is listed completely and the batches are about to be sent."""
        return self._call(StartResponse, "POST", f"v1/workflow-execution/{execution_id}/start/", request)

    def put_off(self, execution_id: str, wait: Wait) -> PutOffResponse:
        """Report that the source cannot be listed now."""
        request = PutOffRequest(wait=wait)
        return self._call(PutOffResponse, "POST", f"v1/workflow-execution/{execution_id}/put-off/", request)

    def finalize(self, execution_id: str, request: FinalizeRequest) -> FinalizeResponse:
        """Request the final status; harmless to repeat. Never behind a breaker."""
        return self._call(
            FinalizeResponse, "POST", f"v1/workflow-execution/{execution_id}/finalize/", request, final=True
        )
