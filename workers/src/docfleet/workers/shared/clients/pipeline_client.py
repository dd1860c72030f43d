"""Pipelines: runs that a message requests."""

from __future__ import annotations

from docfleet.core.schedule import PipelineRun
from docfleet.workers.shared.clients.base import BackendClient


class PipelineClient(BackendClient):
    """One organization's pipelines."""

    def run(self, pipeline_id: str, *, key: str) -> PipelineRun:
        """Start a run; the same ``key`` gives the same run. Raises ``Conflict`` while the pipeline is paused."""
        return self._call(PipelineRun, "POST", f"v1/pipeline/{pipeline_id}/run/", {}, headers={"Idempotency-Key": key})
