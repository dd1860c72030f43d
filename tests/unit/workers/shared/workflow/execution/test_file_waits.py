"""What a file waits for while a worker holds it: said at once, and no longer waited for than the worker has time."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from typing import Any

import pybreaker
import pytest

from docfleet.core.errors import (
    BackendUnavailable,
    DestinationUnavailable,
    DocfleetError,
    MachineTrouble,
    RunnerUnavailable,
    SourceUnreadable,
    StorageFull,
)
from docfleet.core.waiting import Wait, WaitCause
from docfleet.workers.shared.infrastructure.patterns.retry import observed_by, retrying
from docfleet.workers.shared.workflow.execution import file_waits
from docfleet.workers.shared.workflow.execution.file_lines import FileLines
from docfleet.workers.shared.workflow.execution.file_run import FileRun
from docfleet.workers.shared.workflow.execution.file_waits import FileWaits, cause_of
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper
from tests.unit.workers.shared.workflow.execution.doubles import CONTEXT, StoppableBackend, claims


class Lines(FileLines):
    """The lines of a file, kept."""

    def __init__(self) -> None:
        super().__init__(claims("f")[0])
        self.waited: list[Wait] = []

    def waits(self, wait: Wait) -> None:
        self.waited.append(wait)


class Leases(LeaseKeeper):
    """Leases that keep what is noted of their files."""

    def __init__(self) -> None:
        super().__init__(StoppableBackend(), "e", "me", 60.0)  # type: ignore[arg-type]
        self.noted: list[Wait | None] = []
        self.add(claims("f"), time.monotonic())

    def note_wait(self, file_execution_id: str, wait: Wait | None) -> None:
        self.noted.append(wait)


class Failing:
    """A call that fails ``times`` times."""

    def __init__(self, times: int, error: DocfleetError) -> None:
        self.times, self.error, self.calls = times, error, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return "done"


def attempt(call: Failing, leases: Leases, lines: Lines, **more: Any) -> str:
    with observed_by(FileWaits("f", leases, lines)):
        return retrying(call, attempts=6, seconds=20, first_wait=0.01, longest_wait=0.02, **more)


def test_each_failure_is_noted_the_cause_is_one_line_and_success_ends_it() -> None:
    leases, lines = Leases(), Lines()
    assert attempt(Failing(3, RunnerUnavailable("no answer")), leases, lines) == "done"
    waits = [wait for wait in leases.noted if wait is not None]
    assert [(wait.cause, wait.attempt, wait.attempts) for wait in waits] == [
        (WaitCause.RUNNER_AWAY, number, 6) for number in (2, 3, 4)
    ]
    assert leases.noted[-1] is None and len(lines.waited) == 1
    assert "no answer" in lines.waited[0].detail


def test_a_call_that_succeeds_at_once_notes_nothing() -> None:
    leases, lines = Leases(), Lines()
    attempt(Failing(0, RunnerUnavailable()), leases, lines)
    assert leases.noted == [] and lines.waited == []


@pytest.mark.parametrize("how", ["shutdown", "stopped", "lost"])
def test_a_worker_that_is_to_stop_does_not_wait_on(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    leases, lines, call = Leases(), Lines(), Failing(99, RunnerUnavailable("no answer"))
    if how == "shutdown":
        monkeypatch.setattr(file_waits, "shutting_down", lambda: True)
    elif how == "stopped":
        leases.stop()
    else:
        leases.drop(["f"])
    with pytest.raises(RunnerUnavailable):
        attempt(call, leases, lines)
    assert call.calls == 1


def test_a_delivery_that_was_started_is_completed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_waits, "shutting_down", lambda: True)
    call = Failing(3, DestinationUnavailable("no answer"))
    assert attempt(call, Leases(), Lines(), stoppable=False) == "done"


def test_the_causes() -> None:
    for error, cause in ((BackendUnavailable(), WaitCause.BREAKER_OPEN), (RunnerUnavailable(), WaitCause.RUNNER_AWAY)):
        error.__cause__ = pybreaker.CircuitBreakerError()
        assert cause_of(error) is cause
    assert cause_of(BackendUnavailable("no answer")) is WaitCause.DEPENDENCY_AWAY


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (OSError(errno.EMFILE, "Too many open files"), MachineTrouble),
        (OSError(errno.ENOSPC, "No space left on device"), StorageFull),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_trouble_of_the_machine_ends_no_file(
    cause: OSError, kind: type[MachineTrouble], wrapped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wrapped and kind is StorageFull:
        pytest.skip("a full disk behind another error is that of a destination")
    leases = Leases()
    settings: Any = type("Settings", (), {"execution_storage_root": str(tmp_path)})
    tools: Any = None
    run = FileRun(CONTEXT, settings, tools, leases)

    def fail(attempt: Any) -> None:
        if wrapped:
            raise SourceUnreadable("the file cannot be opened") from cause
        raise cause

    monkeypatch.setattr(run, "_run", fail)
    with pytest.raises(kind):
        run.process(claims("f")[0])
