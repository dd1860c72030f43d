"""The client of the runner: a runner that restarts, one that does not, and the verdict on a document."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from docfleet.core.errors import (
    DependencyError,
    ResourceExhausted,
    RunnerBusy,
    RunnerUnavailable,
    StorageFailed,
    StorageFull,
    ToolFailed,
    ToolKilled,
)
from docfleet.core.runs import RunLine, RunRequest, RunState
from docfleet.workers.shared.clients import tool_client
from docfleet.workers.shared.clients.tool_client import ToolClient

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


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", [RunnerBusy, StorageFull, StorageFailed, ResourceExhausted, ToolKilled])
def test_what_lies_in_the_machine_is_no_verdict_on_a_document(kind: type[DependencyError]) -> None:
    runner = Runner(RunState(run_id="r", phase="FAILED", error="why", error_code=kind.code))
    with pytest.raises(DependencyError, match="why") as raised:
        ToolClient(runner).run("r", REQUEST, should_stop=lambda: False, on_lines=said.extend)
    assert type(raised.value) is kind and runner.calls == ["PUT"]
