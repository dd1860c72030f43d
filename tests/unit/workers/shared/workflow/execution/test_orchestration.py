"""Orchestration: sources that fail, executions that another orchestrator ended."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from docfleet.core.batch_calls import (
    FinalizeRequest,
    FinalizeResponse,
    LeftOut,
    PutOffResponse,
    StartRequest,
    StartResponse,
)
from docfleet.core.errors import ResourceExhausted
from docfleet.core.files import FileHashData, WorkerFileData
from docfleet.core.names import TaskName, execution_queues
from docfleet.core.runs import RunLine
from docfleet.core.status import ExecutionStatus
from docfleet.core.waiting import Wait, WaitCause
from docfleet.workers.shared.workflow.execution.orchestration import Orchestrator
from tests.unit.workers.shared.workflow.execution.doubles import CONTEXT

said: list[RunLine] = []


class Api:
    """An internal API's double that only knows how to end an execution."""

    settings = SimpleNamespace(parallel_batches=2)

    def __init__(self, status: ExecutionStatus = ExecutionStatus.ERROR) -> None:
        self.status = status
        self.finalized: list[FinalizeRequest] = []

    def executions(self, organization_id: str) -> Api:
        return self

    def finalize(self, execution_id: str, request: FinalizeRequest) -> FinalizeResponse:
        self.finalized.append(request)
        return FinalizeResponse(execution_id=execution_id, status=self.status, finalized=self.status.is_final)


class Source:
    """Lists one file and fails."""

    def __init__(self, fault: Exception) -> None:
        self.fault = fault
        self.left_out = LeftOut()

    def files(self) -> Iterator[FileHashData]:
        yield FileHashData(file_name="a", file_path="a")
        raise self.fault


class Empty:
    """Lists nothing: its files were taken away since."""

    left_out = LeftOut()

    def files(self) -> Iterator[FileHashData]:
        yield from ()


@pytest.mark.parametrize(
    ("fault", "said"), [(KeyError("size"), "KeyError"), (SoftTimeLimitExceeded(), "GENERAL_TASK_SOFT_TIME_LIMIT")]
)
def test_a_connector_with_a_bug_ends_the_execution_at_once_with_the_cause(fault: Exception, said: str) -> None:
    api: Any = Api()
    app: Any = None
    source: Any = Source(fault)
    data = WorkerFileData(workflow_id="w", execution_id="e", organization_id="o")
    answer = Orchestrator(app, api, CONTEXT, execution_queues(is_api=False)).run(source, data, None)
    assert answer.status == "error"
    assert [(request.error_code, said in str(request.error)) for request in api.finalized] == [("source_error", True)]
    assert answer.final


class PuttingOff(Api):
    """It also knows to put a listing off."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[Wait] = []

    def put_off(self, execution_id: str, wait: Wait) -> PutOffResponse:
        self.waits.append(wait)
        return PutOffResponse()


def test_trouble_of_the_machine_puts_the_listing_off() -> None:
    """Out of descriptors, the folder cannot be opened: that says nothing about the folder."""
    api: Any = PuttingOff()
    app: Any = None
    source: Any = Source(OSError(errno.EMFILE, "Too many open files"))
    data = WorkerFileData(workflow_id="w", execution_id="e", organization_id="o")
    with pytest.raises(ResourceExhausted):
        Orchestrator(app, api, CONTEXT, execution_queues(is_api=False)).run(source, data, None)
    assert api.finalized == [] and [wait.cause for wait in api.waits] == [WaitCause.MACHINE_TROUBLE]


@pytest.mark.parametrize("files", [[], [KeyError("size")]])
def test_a_second_orchestrator_knows_that_it_ended_nothing(files: list[Exception]) -> None:
    """Whoever believes that the execution is final deletes its files, which the batches of the first one need."""
    api: Any = Api(ExecutionStatus.EXECUTING)
    app: Any = None
    source: Any = Source(files[0]) if files else Empty()
    data = WorkerFileData(workflow_id="w", execution_id="e", organization_id="o")
    answer = Orchestrator(app, api, CONTEXT, execution_queues(is_api=False)).run(source, data, None)
    assert len(api.finalized) == 1 and not answer.final


class Registered(Api):
    """Another orchestrator had registered two files, and died."""

    def finalize(self, execution_id: str, request: FinalizeRequest) -> FinalizeResponse:
        return FinalizeResponse(
            execution_id=execution_id, status=ExecutionStatus.EXECUTING, finalized=False, total_files=2, open_files=2
        )

    def start(self, execution_id: str, request: StartRequest) -> StartResponse:
        return StartResponse(status="started", total_files=2)

    def organization(self, organization_id: str) -> Any:
        return SimpleNamespace(configuration=lambda name: "1")


def test_files_that_were_registered_are_sent_though_they_are_gone_since() -> None:
    api: Any = Registered()
    sent: list[str] = []
    app: Any = SimpleNamespace(send_task=lambda name, **_: sent.append(name))
    source: Any = Empty()
    data = WorkerFileData(workflow_id="w", execution_id="e", organization_id="o")
    answer = Orchestrator(app, api, CONTEXT, execution_queues(is_api=False)).run(source, data, None)
    assert sent == [TaskName.PROCESS_FILE_BATCH.value]
    assert (answer.status, answer.total_files, answer.final) == ("orchestrated", 2, False)
