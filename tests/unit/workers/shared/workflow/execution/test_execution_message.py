"""The message of ``async_execute_bin``."""

from __future__ import annotations

import uuid

import pytest

from docfleet.workers.shared.workflow.execution.orchestration import ExecutionMessage


def test_it_takes_the_arguments_of_the_original() -> None:
    workflow, execution = uuid.uuid4(), uuid.uuid4()
    message = ExecutionMessage.of("org", workflow, execution, {"a": {}}, scheduled=True, log_events_id="x")  # type: ignore[arg-type]
    assert (message.organization_id, message.workflow_id, message.execution_id) == (
        "org",
        str(workflow),
        str(execution),
    )
    assert (message.files, message.scheduled, message.pipeline_id) == ({"a": {}}, True, None)


def test_files_are_optional() -> None:
    assert ExecutionMessage.of("org", "w", "e", None, pipeline_id="p").files == {}


def test_an_execution_is_needed() -> None:
    with pytest.raises(TypeError, match="execution_id"):
        ExecutionMessage.of("org", "w")  # type: ignore[call-arg]
