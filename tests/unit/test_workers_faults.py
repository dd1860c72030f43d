"""Faults of what a worker depends on, and what they cost: a runner that restarts, a connector with a bug."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from docfleet.core.batch_calls import FileClaim, FinalizeRequest, FinalizeResponse, StartRequest, StartResponse
from docfleet.core.errors import DestinationUnavailable, RunnerUnavailable, ToolFailed
from docfleet.core.execution import (
    DestinationConfig,
    ExecutionContext,
    ExecutionInfo,
    OrganizationContext,
    SourceConfig,
    ToolInstance,
    WorkflowDefinition,
)
from docfleet.core.files import FileHashData, WorkerFileData
from docfleet.core.names import TaskName, execution_queues
from docfleet.core.runs import RunLine, RunRequest, RunState
from docfleet.core.status import ExecutionStatus
from docfleet.core.storage import COPY_TO_FOLDER
from docfleet.workers.shared.clients import tool_client
from docfleet.workers.shared.clients.tool_client import ToolClient
from docfleet.workers.shared.workflow.connectors.destination import FileSystemSink
from docfleet.workers.shared.workflow.execution import file_run
from docfleet.workers.shared.workflow.execution.file_run import FileRun
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper
from docfleet.workers.shared.workflow.execution.orchestration import Orchestrator

REQUEST = RunRequest(tool_id="t", folder="o/w/e/f", step=1)
SHUT_DOWN = RunState(run_id="r", phase="FAILED", error="the runner is shutting down", error_code="runner_unavailable")
DONE = RunState(run_id="r", phase="SUCCEEDED")


class Runner:
    """A transport's double: answers as told, the last answer for ever."""

    def __init__(self, *answers: RunState) -> None:
        self.answers = list(answers)
        self.calls: list[str] = []

    def request(self, method: str, path: str, **_: Any) -> bytes:
        self.calls.append(method)
        return msgspec.json.encode(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


said: list[RunLine] = []


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_client, "RESTART_WAIT_SECONDS", 0.0)


@pytest.mark.usefixtures("quick")
def test_a_run_that_ended_with_its_runner_is_sent_again() -> None:
    runner = Runner(SHUT_DOWN, SHUT_DOWN, DONE)
    assert ToolClient(runner).run("r", REQUEST, should_stop=lambda: False, on_lines=said.extend).phase == "SUCCEEDED"
    assert runner.calls == ["PUT"] * 3


@pytest.mark.usefixtures("quick")
def test_a_runner_that_does_not_come_back_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_client, "RESTART_SECONDS", 0.0)
    with pytest.raises(RunnerUnavailable):
        ToolClient(Runner(SHUT_DOWN)).run("r", REQUEST, should_stop=lambda: False, on_lines=said.extend)


@pytest.mark.usefixtures("quick")
def test_the_verdict_on_a_document_is_final() -> None:
    runner = Runner(RunState(run_id="r", phase="FAILED", error="no text", error_code="tool_failed"))
    with pytest.raises(ToolFailed, match="no text"):
        ToolClient(runner).run("r", REQUEST, should_stop=lambda: False, on_lines=said.extend)
    assert runner.calls == ["PUT"]


CONTEXT = ExecutionContext(
    execution=ExecutionInfo(id="e", workflow_id="w", status=ExecutionStatus.EXECUTING),
    workflow_definition=WorkflowDefinition(workflow_id="w", workflow_name="n"),
    source_config=SourceConfig(connector_id="local"),
    destination_config=DestinationConfig(),
    organization_context=OrganizationContext(organization_id="o"),
    tool_instances=[ToolInstance(id="i", tool_id="t", step=1)],
)


class Api:
    """An internal API's double that only knows how to end an execution."""

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

    def files(self) -> Iterator[FileHashData]:
        yield FileHashData(file_name="a", file_path="a")
        raise self.fault


class Empty:
    """Lists nothing: its files were taken away since."""

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


class Nowhere:
    """A sink whose destination does not answer."""

    def __init__(self) -> None:
        self.asked = 0

    def deliver(self, delivery: Any) -> Any:
        self.asked += 1
        raise DestinationUnavailable("no answer")


CLAIM = FileClaim(file_execution_id="f", attempt=1, file=FileHashData(file_name="a", file_path="a"))


def delivering(monkeypatch: pytest.MonkeyPatch, sink: Any, root: str) -> FileRun:
    """A run of files whose tools are done."""
    monkeypatch.setattr(file_run, "DELIVERY_ATTEMPTS", 1)
    leases = LeaseKeeper(Runner(), "e", "me", 60.0)  # type: ignore[arg-type]  # never renewed here
    leases.add([CLAIM], time.monotonic())
    settings: Any = type("Settings", (), {"execution_storage_root": root})
    tools: Any = None
    run = FileRun(CONTEXT, settings, tools, leases)
    monkeypatch.setattr(run, "_sink", sink)
    monkeypatch.setattr(run, "_run", lambda attempt: run._deliver(attempt.delivery()))
    return run


def test_a_destination_that_was_waited_for_is_not_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Nowhere()
    outcome = delivering(monkeypatch, sink, "/nonexistent").process(CLAIM)
    assert outcome is not None and outcome.error_code == "destination_unavailable"
    assert sink.asked == 2, "the result, and once that it failed"


def test_what_a_delivery_in_vain_has_begun_is_taken_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The disk of the destination is full after the first of two outputs: a file in ERROR leaves nothing there."""
    target, root = tmp_path / "target", tmp_path / "storage"
    config = DestinationConfig(
        connection_type="FILESYSTEM", connector_id="local", connector_settings={"path": str(target)}
    )
    sink = FileSystemSink(config, "")
    run = delivering(monkeypatch, sink, str(root))
    outputs = run._attempt(CLAIM).folder / COPY_TO_FOLDER
    outputs.mkdir(parents=True)
    for name in ("1.txt", "2.txt"):
        (outputs / name).write_text(name)
    written: list[str] = []
    write = sink._files.write_file

    def one_fits(path: str, *rest: Any) -> str:
        if written:
            raise DestinationUnavailable("no space left")
        written.append(write(path, *rest))
        assert Path(written[0]).read_text() == "1.txt"
        return written[0]

    monkeypatch.setattr(sink._files, "write_file", one_fits)
    outcome = run.process(CLAIM)
    assert outcome is not None and outcome.error_code == "destination_unavailable" and outcome.outputs == []
    assert written and not [path for path in target.rglob("*") if path.is_file()]
