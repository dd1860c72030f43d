"""A lease that is lost and taken anew, and answers that come late: the attempt, not the name of the file, decides."""

from __future__ import annotations

import time
from typing import Any

import pytest

from docfleet.core.batch_calls import ClaimResponse, FileClaim, Lease, ReportRequest, ReportResponse
from docfleet.core.errors import BackendUnavailable, Fenced
from docfleet.core.files import FileBatchData, FileHashData, WorkerFileData
from docfleet.core.results import FileOutcome
from docfleet.core.status import ExecutionStatus
from docfleet.workers.shared.workflow.execution.batch import BatchRun
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper

SECONDS = 60.0


def claimed(attempt: int, name: str = "f") -> FileClaim:
    return FileClaim(file_execution_id=name, attempt=attempt, file=FileHashData(file_name=name, file_path=name))


def keeper(client: Any = None) -> LeaseKeeper:
    return LeaseKeeper(client, "e", "me", SECONDS)


def test_a_file_that_was_lost_and_is_claimed_again_is_renewed_like_any_other() -> None:
    leases, now = keeper(), time.monotonic()
    first, second = Lease(file_execution_id="f", attempt=1), Lease(file_execution_id="f", attempt=3)
    leases.add([claimed(1)], now - SECONDS)
    leases.renewed([first], ["f"], now)
    assert not leases.is_held("f")
    leases.add([claimed(3)], now - SECONDS)
    with pytest.raises(Fenced):
        leases.require("f")
    leases.renewed([second], [], now)
    leases.require("f")


def test_the_late_answer_about_an_earlier_attempt_takes_nothing_away() -> None:
    leases, now = keeper(), time.monotonic()
    leases.add([claimed(3)], now)
    leases.renewed([Lease(file_execution_id="f", attempt=1)], ["f"], now)
    leases.require("f")
    leases.renewed([Lease(file_execution_id="f", attempt=1)], [], now - 2 * SECONDS)
    leases.require("f")


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


class Files:
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
    run = BatchRun(batch, backend, leases, Files(), claim_limit=2, has_to_leave=lambda: False)  # type: ignore[arg-type]
    with pytest.raises(BackendUnavailable):
        run.run(ClaimResponse(claims=[claimed(1)]), time.monotonic())
    assert backend.held == ["f"], "nobody renews it while the report is tried"
    assert backend.renewed == [], "the report itself ends its lease"
