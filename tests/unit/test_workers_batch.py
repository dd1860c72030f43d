"""A batch that has to leave: what is done is reported, what is not is given back, and nothing is lost."""

from __future__ import annotations

import os
import time
import warnings
from typing import Any

import msgspec
import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from celery import signals

from docfleet.core.batch_calls import ClaimRequest, ClaimResponse, FileClaim, ReportRequest, ReportResponse
from docfleet.core.files import FileBatchData, FileHashData, WorkerFileData
from docfleet.core.results import FileOutcome
from docfleet.core.status import ExecutionStatus
from docfleet.workers.shared.infrastructure.process import shutdown
from docfleet.workers.shared.workflow.execution.batch import BatchRun, claim_request
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper


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


def batch_run(backend: Any, files: Any, has_to_leave: Any) -> tuple[BatchRun, LeaseKeeper]:
    data = WorkerFileData(workflow_id="w", execution_id="e", organization_id="o")
    leases = LeaseKeeper(backend, "e", "me", 60.0)
    run = BatchRun(FileBatchData(file_data=data), backend, leases, files, claim_limit=2, has_to_leave=has_to_leave)
    return run, leases


def first_claim(backend: Backend, leases: LeaseKeeper) -> tuple[ClaimResponse, float]:
    batch = FileBatchData(file_data=WorkerFileData(workflow_id="w", execution_id="e", organization_id="o"))
    asked = time.monotonic()
    return backend.claim("e", claim_request(batch, leases, 2)), asked


def test_told_to_leave_it_ends_after_the_file_it_is_at_and_gives_the_rest_back() -> None:
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


def test_a_child_learns_that_its_parent_was_told_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown, "_phase", None)
    assert not shutdown.shutting_down()
    shutdown.watch_shutdown()
    there, back = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads that other tests left
        child = os.fork()
    if child == 0:
        os.read(there, 1)
        os._exit(0 if shutdown.shutting_down() else 1)
    assert not shutdown.shutting_down()
    signals.worker_shutting_down.send(sender=None, sig="SIGTERM", how="warm", exitcode=0)
    os.write(back, b".")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(there)
    os.close(back)
    signals.worker_shutting_down.disconnect(shutdown._note_shutdown)
