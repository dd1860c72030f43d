"""A batch that has to leave: what is done is reported, what is not is given back, and nothing is lost."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from docfleet.core.batch_calls import (
    ClaimRequest,
    ClaimResponse,
    FileClaim,
    ReportRequest,
    ReportResponse,
    SlotAnswer,
)
from docfleet.core.errors import (
    BackendUnavailable,
    ResourceExhausted,
    RunnerBusy,
    RunnerUnavailable,
    StorageFailed,
    StorageFull,
    ToolKilled,
)
from docfleet.core.files import FileBatchData, FileHashData, WorkerFileData
from docfleet.core.results import FileOutcome
from docfleet.core.status import ExecutionStatus
from docfleet.core.waiting import WaitCause
from docfleet.workers.shared.workflow.execution.batch import BatchRun, claim_request
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper
from docfleet.workers.shared.workflow.execution.slot import Slot
from tests.unit.workers.shared.workflow.execution.doubles import StoppableBackend, claims


class Claims:
    """A file client's double: one page of three files."""

    def __init__(self) -> None:
        self.reports: list[ReportRequest] = []
        self.requests: list[str] = []

    def report(self, execution_id: str, request: ReportRequest) -> ReportResponse:
        self.reports.append(request)
        return ReportResponse(claim=ClaimResponse() if request.claim else None)


class NoRunner:
    """A file run whose runner does not answer from the second file on."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def reported(self, outcomes: list[Any]) -> None:
        pass

    def process(self, claim: FileClaim) -> None:
        self.asked.append(claim.file_execution_id)
        if len(self.asked) > 1:
            raise RunnerUnavailable("no answer")


def test_a_runner_that_stays_away_costs_no_file_anything() -> None:
    files, runs = Claims(), NoRunner()
    client: Any = files
    file_run: Any = runs
    leases = LeaseKeeper(client, "e", "me", 60.0)
    data = WorkerFileData(workflow_id="w", execution_id="e", organization_id="o")
    batch = BatchRun(
        FileBatchData(file_data=data), client, leases, file_run, Slot(), claim_limit=3, should_stop=lambda: False
    )
    claims = [
        FileClaim(file_execution_id=f"f{n}", attempt=1, file=FileHashData(file_name=f"n{n}", file_path=f"n{n}"))
        for n in (1, 2, 3)
    ]
    result = batch.run(ClaimResponse(claims=claims), time.monotonic())
    assert runs.asked == ["f1", "f2"]
    assert [lease.file_execution_id for report in files.reports for lease in report.release] == ["f2", "f3"]
    assert not [outcome for report in files.reports for outcome in report.outcomes]
    assert not batch.unfinished, "a new batch at once would only wait for the same runner"
    assert result.errors == ["no answer"] and leases.held() == []
    waits = [lease.wait for report in files.reports for lease in report.release]
    assert {wait and (wait.cause, wait.detail) for wait in waits} == {(WaitCause.RUNNER_AWAY, "no answer")}


class Trouble:
    """A file run whose first file meets ``error``; it completes the others."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.started: list[str] = []

    def reported(self, outcomes: list[Any]) -> None:
        pass

    def process(self, claim: FileClaim) -> FileOutcome:
        self.started.append(claim.file_execution_id)
        if len(self.started) == 1:
            raise self.error
        return FileOutcome(
            file_execution_id=claim.file_execution_id, attempt=claim.attempt, status=ExecutionStatus.COMPLETED
        )


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (StorageFull("full"), WaitCause.STORAGE_FULL),
        (ResourceExhausted("no descriptors"), WaitCause.MACHINE_TROUBLE),
        (StorageFailed("I/O error"), WaitCause.MACHINE_TROUBLE),
    ],
)
def test_trouble_of_the_machine_is_no_verdict_on_a_file(error: Exception, cause: WaitCause) -> None:
    backend, files = Claims(), Trouble(error)
    run, leases = batch_run(backend, files, lambda: False)
    run.run(ClaimResponse(claims=[claimed(1, "f1"), claimed(1, "f2")]), time.monotonic())
    released = [lease for report in backend.reports for lease in report.release]
    assert [(lease.file_execution_id, lease.wait and lease.wait.cause) for lease in released] == [("f1", cause)]
    outcomes = [outcome.file_execution_id for report in backend.reports for outcome in report.outcomes]
    assert files.started == ["f1", "f2"] and outcomes == ["f2"], "the next file may have space enough"
    assert leases.held() == []


def test_a_file_that_needs_a_place_for_a_long_run_waits_alone() -> None:
    backend, files = Claims(), Trouble(RunnerBusy("two long documents"))
    run, _ = batch_run(backend, files, lambda: False)
    run.run(ClaimResponse(claims=[claimed(1, "f1"), claimed(1, "f2")]), time.monotonic())
    (released,) = [lease for report in backend.reports for lease in report.release]
    assert released.file_execution_id == "f1" and not released.strike
    assert released.wait is not None and released.wait.cause is WaitCause.LONG_RUN and released.wait.retry_seconds > 0
    assert [outcome.file_execution_id for report in backend.reports for outcome in report.outcomes] == ["f2"]


def test_a_tool_that_was_killed_from_outside_costs_its_file_a_strike_and_the_others_nothing() -> None:
    backend, files = Claims(), Trouble(ToolKilled("killed with SIGKILL"))
    run, leases = batch_run(backend, files, lambda: False)
    run.run(ClaimResponse(claims=[claimed(1, "f1"), claimed(1, "f2")]), time.monotonic())
    released = [lease for report in backend.reports for lease in report.release]
    assert [(lease.file_execution_id, lease.strike) for lease in released] == [("f1", True)]
    outcomes = [outcome.file_execution_id for report in backend.reports for outcome in report.outcomes]
    assert files.started == ["f1", "f2"] and outcomes == ["f2"] and leases.held() == []


LEASE_SECONDS = 60.0


def claimed(attempt: int, name: str = "f") -> FileClaim:
    return FileClaim(file_execution_id=name, attempt=attempt, file=FileHashData(file_name=name, file_path=name))


def keeper(client: Any = None) -> LeaseKeeper:
    return LeaseKeeper(client, "e", "me", LEASE_SECONDS)


class Away:
    """A backend that does not answer reports; ``held`` is what is renewed while it is asked."""

    def __init__(self) -> None:
        self.leases: LeaseKeeper | None = None
        self.held: list[str] = []
        self.renewed: list[str] = []

    def report(self, execution_id: str, request: ReportRequest) -> ReportResponse:
        assert self.leases is not None
        self.held = [lease.file_execution_id for lease in self.leases.held()]
        self.renewed = [lease.file_execution_id for lease in request.renew]
        raise BackendUnavailable("the backend does not answer")


class Completing:
    def reported(self, outcomes: list[Any]) -> None:
        pass

    def process(self, claim: FileClaim) -> FileOutcome:
        return FileOutcome(
            file_execution_id=claim.file_execution_id, attempt=claim.attempt, status=ExecutionStatus.COMPLETED
        )


def test_what_is_delivered_stays_ours_until_the_backend_has_heard_of_it() -> None:
    """A report is tried for two minutes. Were the file not renewed meanwhile, another worker would do it again."""
    backend = Away()
    leases = backend.leases = keeper(backend)
    data = WorkerFileData(workflow_id="w", execution_id="e", organization_id="o")
    batch = FileBatchData(file_data=data)
    run = BatchRun(batch, backend, leases, Completing(), Slot(), claim_limit=2, should_stop=lambda: False)  # type: ignore[arg-type]
    with pytest.raises(BackendUnavailable):
        run.run(ClaimResponse(claims=[claimed(1)]), time.monotonic())
    assert backend.held == ["f"], "nobody renews it while the report is tried"
    assert backend.renewed == [], "the report itself ends its lease"


class Backend:
    """A file client's double: hands out pages of two files for ever, and keeps what is reported."""

    def __init__(self) -> None:
        self.claimed = 0
        self.reported: list[str] = []
        self.released: list[str] = []

    def claim(self, execution_id: str, request: ClaimRequest) -> ClaimResponse:
        self.claimed += 2
        return ClaimResponse(
            claims=[
                FileClaim(file_execution_id=f"f{n}", attempt=1, file=FileHashData(file_name=f"n{n}", file_path=f"n{n}"))
                for n in (self.claimed - 1, self.claimed)
            ]
        )

    def report(self, execution_id: str, request: ReportRequest) -> ReportResponse:
        self.reported += [outcome.file_execution_id for outcome in request.outcomes]
        self.released += [lease.file_execution_id for lease in request.release]
        return ReportResponse(claim=self.claim(execution_id, request.claim) if request.claim else None)


class Files:
    """A file run's double: completes every file; at ``slow`` the soft time limit strikes."""

    def __init__(self, slow: str = "") -> None:
        self.slow = slow
        self.begun: list[str] = []
        self.done: list[str] = []

    def process(self, claim: FileClaim) -> FileOutcome:
        self.begun.append(claim.file_execution_id)
        if claim.file_execution_id == self.slow:
            raise SoftTimeLimitExceeded
        return FileOutcome(
            file_execution_id=claim.file_execution_id, attempt=claim.attempt, status=ExecutionStatus.COMPLETED
        )

    def reported(self, outcomes: list[FileOutcome]) -> None:
        self.done += [outcome.file_execution_id for outcome in outcomes]


def batch_run(backend: Any, files: Any, should_stop: Any) -> tuple[BatchRun, LeaseKeeper]:
    data = WorkerFileData(workflow_id="w", execution_id="e", organization_id="o")
    leases = LeaseKeeper(backend, "e", "me", 60.0)
    run = BatchRun(
        FileBatchData(file_data=data), backend, leases, files, Slot(), claim_limit=2, should_stop=should_stop
    )
    return run, leases


def first_claim(backend: Backend, leases: LeaseKeeper) -> tuple[ClaimResponse, float]:
    batch = FileBatchData(file_data=WorkerFileData(workflow_id="w", execution_id="e", organization_id="o"))
    asked = time.monotonic()
    return backend.claim("e", claim_request(batch, leases, 2)), asked


def test_when_it_has_to_leave_it_ends_after_its_current_file_and_hands_the_rest_back() -> None:
    backend, files = Backend(), Files()
    run, leases = batch_run(backend, files, lambda: len(files.begun) >= 3)
    result = run.run(*first_claim(backend, leases))
    assert files.begun == backend.reported == files.done == ["f1", "f2", "f3"]
    assert backend.released == ["f4"] and leases.held() == []
    assert run.unfinished and result.successful_files == 3 and not result.errors


@pytest.mark.parametrize(("open_files", "ended"), [(0, True), (1, False)])
def test_it_knows_that_its_report_ended_the_execution(open_files: int, ended: bool) -> None:
    backend, files = Backend(), Files()
    report = backend.report
    answers = {"stop": True, "open_files": open_files}
    backend.report = lambda *given: msgspec.structs.replace(report(*given), claim=None, **answers)  # type: ignore[method-assign]
    run, leases = batch_run(backend, files, lambda: False)
    run.run(*first_claim(backend, leases))
    assert files.begun == ["f1", "f2"] and run.ended is ended and not run.unfinished


def test_the_soft_time_limit_costs_the_slow_file_alone() -> None:
    backend, files = Backend(), Files(slow="f3")
    run, leases = batch_run(backend, files, lambda: False)
    result = run.run(*first_claim(backend, leases))
    assert backend.reported == ["f1", "f2"] and backend.released == ["f4"]
    assert [lease.file_execution_id for lease in leases.held()] == ["f3"]
    assert run.unfinished and "n3" in result.errors[0]


class StoppedFiles:
    """A file run's double: the stop comes while ``at`` is worked on; with ``delivered`` just after its delivery."""

    def __init__(self, leases: LeaseKeeper, at: str, *, delivered: bool) -> None:
        self.leases, self.at, self.delivered = leases, at, delivered
        self.begun: list[str] = []

    def reported(self, outcomes: list[FileOutcome]) -> None:
        """Nothing is kept of them."""

    def process(self, claim: FileClaim) -> FileOutcome | None:
        self.begun.append(claim.file_execution_id)
        if claim.file_execution_id == self.at:
            self.leases.stop()
            if not self.delivered:
                return None
        return FileOutcome(file_execution_id=claim.file_execution_id, attempt=1, status=ExecutionStatus.COMPLETED)


@pytest.mark.parametrize(("delivered", "reported"), [(True, ["a", "b"]), (False, ["a"])])
def test_a_stopped_batch_reports_what_is_delivered_and_gives_the_rest_back_in_one_call(
    delivered: bool, reported: list[str]
) -> None:
    backend = StoppableBackend()
    backend.stopping = True
    leases = LeaseKeeper(backend, "e", "me", 60.0)  # type: ignore[arg-type]
    files = StoppedFiles(leases, "b", delivered=delivered)
    batch = FileBatchData(file_data=WorkerFileData(workflow_id="w", execution_id="e", organization_id="o"))
    run = BatchRun(batch, backend, leases, files, Slot(), claim_limit=4, should_stop=lambda: False)  # type: ignore[arg-type]
    run.run(ClaimResponse(claims=claims("a", "b", "c", "d")), time.monotonic())
    assert files.begun == ["a", "b"]
    (report,) = backend.reports
    assert [outcome.file_execution_id for outcome in report.outcomes] == reported
    given_back = {lease.file_execution_id for lease in report.release}
    assert given_back == {"a", "b", "c", "d"} - set(reported) and leases.held() == []


class Crowded:
    """A file client's double: others wait, and the quantum is used up at once."""

    def __init__(self) -> None:
        self.reports: list[ReportRequest] = []

    def report(self, execution_id: str, request: ReportRequest) -> ReportResponse:
        self.reports.append(request)
        return ReportResponse(slot=SlotAnswer(yield_slot=True, others_wait=True, quantum_seconds=1e-9, quantum_pages=1))


@pytest.mark.parametrize("names", [("f1", "f2", "f3"), ("f1",)])
def test_a_batch_that_is_told_to_yield_starts_no_other_file(names: tuple[str, ...]) -> None:
    backend: Any = Crowded()
    files: Any = Completing()
    leases = LeaseKeeper(backend, "e", "me", 60.0)
    slot = Slot()
    slot.answered(SlotAnswer(others_wait=True, quantum_seconds=1e-9, quantum_pages=1), (0, 0))
    data = WorkerFileData(workflow_id="w", execution_id="e", organization_id="o")
    run = BatchRun(
        FileBatchData(file_data=data), backend, leases, files, slot, claim_limit=2, should_stop=lambda: False
    )
    result = run.run(ClaimResponse(claims=claims(*names)), time.monotonic())
    assert run.unfinished and result.successful_files == 1
    assert [len(report.outcomes) for report in backend.reports] == [1], "one call reports and hands back"
    assert [lease.file_execution_id for lease in backend.reports[0].renew] == list(names[1:])
    assert leases.held() == []
