"""A line of an execution's log carries the execution of its task and no secret."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from docfleet.core.log_events import LogEvent, LogLevel, LogType
from docfleet.workers.shared.infrastructure.context.state_store import EXECUTION_ID, ORGANIZATION_ID, StateStore
from docfleet.workers.shared.infrastructure.logging import workflow_log


def test_a_line_has_the_task_s_execution_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    put: list[LogEvent] = []
    monkeypatch.setattr(workflow_log, "_publisher", lambda: SimpleNamespace(put=put.append))
    monkeypatch.setattr(workflow_log, "_is_enabled", lambda: True)
    workflow_log.WorkflowLogger.info(workflow_log.LogStage.RUN, "about nothing")
    with StateStore.scope():
        StateStore.set(EXECUTION_ID, "e")
        StateStore.set(ORGANIZATION_ID, "o")
        text = "postgresql://me:hunter2secret@host/db " + "y" * 9000
        workflow_log.WorkflowLogger.error(workflow_log.LogStage.RUN, text, step=2)
        workflow_log.WorkflowLogger.update("SOURCE", "RUNNING", "m")
        workflow_log.WorkflowLogger.progress("SOURCE", "m", 3, 9)
        # A line that cannot be made costs the task nothing.
        workflow_log.WorkflowLogger.info(workflow_log.LogStage.RUN, None)  # type: ignore[arg-type]
    first, update, progress = put
    assert (first.execution_id, first.organization_id, first.step, first.level) == ("e", "o", 2, LogLevel.ERROR)
    assert "hunter2" not in first.log and len(first.log) <= 4000 and first.channel == "e"
    assert update.type is LogType.UPDATE and (progress.iteration, progress.iteration_total) == (3, 9)
