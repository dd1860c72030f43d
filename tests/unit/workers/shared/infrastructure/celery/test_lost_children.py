"""What a worker's parent reports about a dead child."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from docfleet.core.batch_calls import LostProcess
from docfleet.core.names import TaskName
from docfleet.workers.shared.infrastructure.celery import lost_children
from tests.unit.workers.shared.backend_double import BackendDouble, point_to, serving

BATCH = {"file_data": {"organization_id": "o", "execution_id": "e", "workflow_id": "w"}}


@pytest.mark.parametrize(
    ("task", "args", "kwargs"),
    [
        (TaskName.PROCESS_FILE_BATCH, [BATCH], {}),
        (TaskName.PROCESS_FILE_BATCH, [], {"file_batch_data": BATCH}),
        (TaskName.ASYNC_EXECUTE_BIN, ["o", "w", "e", {}], {"pipeline_id": None}),
        (TaskName.ASYNC_EXECUTE_BIN_API, ["o"], {"workflow_id": "w", "execution_id": "e"}),
        (TaskName.PROCESS_BATCH_CALLBACK, [[]], {"organization_id": "o", "execution_id": "e"}),
    ],
)
def test_messages_name_their_execution(task: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    assert lost_children.execution_of(task, args, kwargs) == ("o", "e")


@pytest.mark.parametrize("args", [[], [None], [{}], ["text"], [{"file_data": None}]])
def test_a_message_that_cannot_be_read_names_none(args: list[Any]) -> None:
    assert lost_children.execution_of(TaskName.PROCESS_FILE_BATCH, args, {}) is None
    assert lost_children.execution_of(TaskName.SWEEP, [], {}) is None


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[BackendDouble]:
    with serving(monkeypatch) as double:
        yield double


LOST = LostProcess(owner="n/1", execution_id="e", file_execution_id="f")


def test_a_lost_child_is_reported_to_the_backend(backend: BackendDouble) -> None:
    lost_children.report("o", LOST)
    body = {"owner": "n/1", "execution_id": "e", "file_execution_id": "f"}
    assert backend.told == [("/internal/v1/workers/lost-process/", "o", body)]


def test_a_backend_that_hangs_holds_the_parent_up_for_two_seconds_at_most(backend: BackendDouble) -> None:
    backend.go_on.clear()
    began = time.monotonic()
    lost_children.report("o", LOST)
    assert 1.5 < time.monotonic() - began < 15  # the backend hangs for 20 s


def test_a_backend_that_is_away_or_refuses_is_no_error(backend: BackendDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    backend.status = 401
    lost_children.report("o", LOST)
    point_to(monkeypatch, "http://127.0.0.1:1")
    lost_children.report("o", LOST)
