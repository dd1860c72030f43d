"""The message of ``async_execute_bin``."""

from __future__ import annotations

from typing import Any

import pytest

from docfleet.core.errors import InvalidInput
from docfleet.workers.shared.workflow.execution.execution_message import ExecutionMessage


def test_it_takes_the_arguments_of_the_original() -> None:
    more = {"execution_mode": None, "log_events_id": "x", "use_file_history": False, "transport": "celery"}
    message = ExecutionMessage.of("org", "w", "e", {"a": {}}, scheduled=True, pipeline_id="p", **more)
    assert (message.organization_id, message.workflow_id, message.execution_id) == ("org", "w", "e")
    assert (message.files, message.scheduled, message.pipeline_id) == ({"a": {}}, True, "p")
    assert message.use_file_history is False


def test_its_scheduler_sends_five_by_position() -> None:
    message = ExecutionMessage.of("org", "w", "e", {}, True, use_file_history=True, pipeline_id="p")
    assert (message.scheduled, message.use_file_history, message.pipeline_id) == (True, True, "p")


@pytest.mark.parametrize("nothing", [None, "", "None"])
def test_what_is_optional_may_be_absent_or_null(nothing: str | None) -> None:
    message = ExecutionMessage.of("org", "w", "e", None, pipeline_id=nothing, use_file_history=None)
    assert (message.files, message.pipeline_id, message.use_file_history) == ({}, None, None)


@pytest.mark.parametrize(
    ("args", "more", "cause"),
    [
        (("org", "w"), {}, "execution_id"),
        (("org", "w", 7), {}, "execution_id"),
        (("org", "w", "e", ["a"]), {}, "files"),
        (("org", "w", "e", {}), {"use_file_history": "yes"}, "use_file_history"),
        (("org", "w", "e", {}), {"scheduled": "yes"}, "scheduled"),
    ],
)
def test_a_message_that_does_not_fit_is_refused_by_name(args: Any, more: Any, cause: str) -> None:
    with pytest.raises(InvalidInput, match=cause):
        ExecutionMessage.of(*args, **more)
