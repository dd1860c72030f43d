"""Workflows: what an execution runs."""

from __future__ import annotations

from docfleet.core.execution import ExecutionContext
from docfleet.workers.shared.clients.base import BackendClient


class WorkflowClient(BackendClient):
    """One organization's workflows."""

    def context(self, execution_id: str) -> ExecutionContext:
        """The workflow that an execution runs, with its source, destination and tool instances, and the execution
        itself: one call. Holds credentials: keep it in memory."""
        return self._call(ExecutionContext, "GET", f"v1/workflow-execution/{execution_id}/")
