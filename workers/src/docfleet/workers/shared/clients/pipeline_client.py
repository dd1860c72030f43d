"""Pipelines: runs that a message asks for."""

from __future__ import annotations

from docfleet.core.schedule import PipelineRun
from docfleet.workers.shared.clients.base import BackendClient


class PipelineClient(BackendClient):
    """One organization's pipelines."""

    def run(self, pipeline_id: str, *, key: str) -> PipelineRun:
        """Begin a run; with the same ``key`` it is the same one. Raises ``Conflict`` while the pipeline is paused."""
        return self._call(PipelineRun, "POST", f"v1/pipeline/{pipeline_id}/run/", {}, headers={"Idempotency-Key": key})
