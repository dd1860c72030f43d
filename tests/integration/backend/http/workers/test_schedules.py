"""The original's scheduler task runs a pipeline once per message."""

from __future__ import annotations

from typing import Any

from tests.integration.backend.schedules.scheduled import Scheduled


def test_the_original_s_task_runs_a_pipeline_once_for_each_message(fresh_api: Any) -> None:
    pipeline = Scheduled(fresh_api)
    path = f"/internal/v1/pipeline/{pipeline.id}/run/"
    first = fresh_api.post(path, Idempotency_Key="task:1")
    assert fresh_api.post(path, Idempotency_Key="task:1") == first
    second = fresh_api.post(path, Idempotency_Key="task:2")
    assert pipeline.runs == [first["execution_id"], second["execution_id"]]
    assert [sent[1][2] for sent in fresh_api.recorder.sent] == pipeline.runs
    fresh_api.other().post(path, status=404)
