"""A stop, as a worker sees it: heard at once, the tool killed, nothing delivered any more, the rest given back."""

from __future__ import annotations

import os
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from celery.worker.control import Panel

from docfleet.core.batch_calls import FileClaim, RenewRequest, RenewResponse, ReportRequest, ReportResponse
from docfleet.core.errors import DestinationUnavailable, Fenced, NotFound
from docfleet.core.files import FileBatchData, FileHashData, WorkerFileData
from docfleet.core.names import STOP_EXECUTION
from docfleet.core.results import FileOutcome
from docfleet.core.status import ExecutionStatus
from docfleet.workers.shared.infrastructure.process import stopping
from docfleet.workers.shared.workflow.connectors.destination import Delivered, Delivery
from docfleet.workers.shared.workflow.execution.batch import BatchRun, ClaimResponse
from docfleet.workers.shared.workflow.execution.file_run import FileRun
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper

LONG = 3600.0
"""A lease whose own renewals never come in a test."""


class Backend:
    """A file client's double: an execution that somebody stopped, or not yet."""

    def __init__(self) -> None:
        self.stopping = False
        self.renewals = 0
        self.reports: list[ReportRequest] = []

    def renew(self, execution_id: str, request: RenewRequest) -> RenewResponse:
        self.renewals += 1
        return RenewResponse(stop=self.stopping)

    def report(self, execution_id: str, request: ReportRequest) -> ReportResponse:
        self.reports.append(request)
        return ReportResponse(stop=self.stopping)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The command as the worker's mailbox calls it."""
    monkeypatch.setattr(stopping, "_stops", None)
    stopping.watch_stops()
    yield lambda execution_id: Panel.data[STOP_EXECUTION](None, execution_id=execution_id)


def claims(*names: str) -> list[FileClaim]:
    return [FileClaim(file_execution_id=name, attempt=1, file=FileHashData(name, name)) for name in names]


def until(condition: Any, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_a_child_hears_of_its_own_stop_and_of_no_other(worker: Any) -> None:
    mine, other = str(uuid.uuid4()), str(uuid.uuid4())
    worker(mine)
    seen = stopping.stop_count()
    assert seen == 1 and not stopping.may_be_stopped(mine, since=seen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads that other tests left
        child = os.fork()
    if child == 0:
        worker(other)
        os._exit(0)
    os.waitpid(child, 0)
    assert stopping.may_be_stopped(other, since=seen), "the memory is not shared"
    assert not stopping.may_be_stopped(mine, since=seen) and stopping.may_be_stopped(mine, since=0)


def test_who_looked_away_for_too_many_stops_asks_and_what_is_no_id_is_not_told(worker: Any) -> None:
    for _ in range(stopping.SLOTS + 1):
        worker(str(uuid.uuid4()))
    assert stopping.may_be_stopped(str(uuid.uuid4()), since=0)
    assert not stopping.may_be_stopped(str(uuid.uuid4()), since=1)
    for nonsense in ("", "nonsense", None, 7, "x" * 100_000):
        worker(nonsense)
    assert stopping.stop_count() == stopping.SLOTS + 1


def test_a_told_batch_asks_at_once_and_kills_its_tool_again_and_again(worker: Any) -> None:
    backend, execution_id = Backend(), str(uuid.uuid4())
    killed = threading.Semaphore(0)

    def kill() -> None:
        killed.release()
        raise NotFound("the run has not begun")

    with LeaseKeeper(backend, execution_id, "me", LONG) as leases:  # type: ignore[arg-type]
        leases.add(claims("a"), time.monotonic())
        with leases.interrupting("a", kill):
            worker(str(uuid.uuid4()))
            worker(execution_id)
            until(lambda: backend.renewals == 1)
            assert not leases.stopped and not killed.acquire(blocking=False), "the backend alone knows"
            backend.stopping = True
            worker(execution_id)
            for _ in range(3):
                assert killed.acquire(timeout=5.0)
        assert leases.stopped and backend.renewals == 2


def test_a_hint_is_kept_until_there_is_a_file_to_ask_about(worker: Any) -> None:
    backend, execution_id = Backend(), str(uuid.uuid4())
    backend.stopping = True
    with LeaseKeeper(backend, execution_id, "me", LONG) as leases:  # type: ignore[arg-type]
        worker(execution_id)
        time.sleep(0.3)
        assert backend.renewals == 0
        leases.add(claims("a"), time.monotonic())
        until(lambda: leases.stopped)


def test_no_delivery_begins_after_a_stop_and_a_begun_one_may_be_tried_again() -> None:
    leases = LeaseKeeper(Backend(), "e", "me", 60.0)  # type: ignore[arg-type]
    leases.add(claims("a", "late"), time.monotonic())
    leases.stop()
    with pytest.raises(Fenced, match="stopped"):
        leases.require("a")
    leases.require("a", started=True)
    leases.add(claims("late"), time.monotonic() - 61)
    with pytest.raises(Fenced, match="lost"):
        leases.require("late", started=True)


class Files:
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
    backend = Backend()
    backend.stopping = True
    leases = LeaseKeeper(backend, "e", "me", 60.0)  # type: ignore[arg-type]
    files = Files(leases, "b", delivered=delivered)
    batch = FileBatchData(file_data=WorkerFileData(workflow_id="w", execution_id="e", organization_id="o"))
    run = BatchRun(batch, backend, leases, files, claim_limit=4, has_to_leave=lambda: False)  # type: ignore[arg-type]
    run.run(ClaimResponse(claims=claims("a", "b", "c", "d")), time.monotonic())
    assert files.begun == ["a", "b"]
    (report,) = backend.reports
    assert [outcome.file_execution_id for outcome in report.outcomes] == reported
    given_back = {lease.file_execution_id for lease in report.release}
    assert given_back == {"a", "b", "c", "d"} - set(reported) and leases.held() == []


class LostAnswer:
    """A sink's double: the first delivery may have come through, and while it was under way a stop came."""

    def __init__(self, leases: LeaseKeeper) -> None:
        self.leases = leases
        self.tries = 0

    def deliver(self, delivery: Delivery) -> Delivered:
        self.tries += 1
        if self.tries == 1:
            self.leases.stop()
            raise DestinationUnavailable("the connection was lost while the row was committed")
        return Delivered()


def test_a_delivery_whose_answer_was_lost_is_tried_again_in_spite_of_a_stop(tmp_path: Path) -> None:
    leases = LeaseKeeper(Backend(), "e", "me", 60.0)  # type: ignore[arg-type]
    leases.add(claims("a", "b"), time.monotonic())
    file_run = FileRun(None, None, None, leases)  # type: ignore[arg-type]
    sink = file_run._sink = LostAnswer(leases)
    delivery = Delivery(
        execution_id="e",
        file_execution_id="a",
        attempt=1,
        require=lambda: None,
        file=claims("a")[0].file,
        folder=tmp_path,
    )
    file_run._deliver(delivery)
    assert sink.tries == 2, "nobody knows whether the file was delivered"
    with pytest.raises(Fenced):
        file_run._deliver(msgspec.structs.replace(delivery, file_execution_id="b"))
    assert sink.tries == 2
