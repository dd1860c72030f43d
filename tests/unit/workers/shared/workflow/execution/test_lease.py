"""Leases are renewed; one that is lost fences its file, and late answers change nothing."""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any

import pytest

from docfleet.core.batch_calls import FileClaim, Lease, RenewRequest, RenewResponse
from docfleet.core.errors import BackendUnavailable, Fenced, NotFound
from docfleet.core.files import FileHashData
from docfleet.core.waiting import Wait, WaitCause
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper
from tests.unit.workers.shared.workflow.execution.doubles import StoppableBackend, claims
from tests.waiting import until


class Renewals:
    """A file client's double: answers renewals as told."""

    def __init__(self, *answers: RenewResponse | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[RenewRequest] = []

    def renew(self, execution_id: str, request: RenewRequest) -> RenewResponse:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else RenewResponse()
        if isinstance(answer, Exception):
            raise answer
        return answer


def file_claim(number: int) -> FileClaim:
    return FileClaim(file_execution_id=f"f{number}", attempt=1, file=FileHashData(file_name="a", file_path="a"))


def test_a_renewed_lease_outlives_its_length() -> None:
    client: Any = Renewals()
    with LeaseKeeper(client, "e", "me", 0.3) as leases:
        leases.add([file_claim(1)], time.monotonic())
        until(lambda: len(client.requests) >= 5, 5)
        leases.require("f1")


def test_a_wait_reaches_the_backend_at_once_and_so_does_its_end() -> None:
    client: Any = Renewals()
    with LeaseKeeper(client, "e", "me", 600.0) as leases:
        leases.add([file_claim(1), file_claim(2)], time.monotonic())
        leases.note_wait("f1", Wait(cause=WaitCause.RUNNER_AWAY, attempt=1))
        until(lambda: client.requests, 5)
        leases.note_wait("f1", Wait(cause=WaitCause.RUNNER_AWAY, attempt=2))
        leases.note_wait("f1", None)
        until(lambda: len(client.requests) == 2, 5)
    waiting = [[(lease.file_execution_id, lease.wait.cause) for lease in sent.waiting] for sent in client.requests]
    assert waiting == [[("f1", WaitCause.RUNNER_AWAY)], []], "each attempt of a wait must not be a call"


def test_a_lost_lease_fences_the_file_and_only_it() -> None:
    client: Any = Renewals(RenewResponse(lost=["f1"]))
    with LeaseKeeper(client, "e", "me", 0.3) as leases:
        leases.add([file_claim(1), file_claim(2)], time.monotonic())
        until(lambda: client.requests, 5)
        until(lambda: len(leases.held()) == 1, 5)
        with pytest.raises(Fenced):
            leases.require("f1")
        leases.require("f2")


def test_a_lease_that_could_not_be_renewed_counts_as_lost() -> None:
    client: Any = Renewals(*[BackendUnavailable("away")] * 100)
    with LeaseKeeper(client, "e", "me", 0.3) as leases:
        leases.add([file_claim(1)], time.monotonic())
        leases.require("f1")
        until(lambda: len(client.requests) >= 4, 5)
        with pytest.raises(Fenced):
            leases.require("f1")


def test_a_lease_is_as_old_as_its_request() -> None:
    """The database counts from the request, so an answer that was long under way does not make the lease longer."""
    client: Any = Renewals()
    leases = LeaseKeeper(client, "e", "me", 60.0)
    leases.add([file_claim(1), file_claim(2)], time.monotonic() - 61)
    with pytest.raises(Fenced):
        leases.require("f1")
    assert not leases.is_lost("f1"), "late, and may still be renewed"
    leases.renewed(leases.held(), ["f2"], time.monotonic() - 1)
    leases.require("f1")
    assert leases.is_lost("f2")


def test_a_stopped_execution_fences_everything() -> None:
    client: Any = Renewals(RenewResponse(stop=True))
    with LeaseKeeper(client, "e", "me", 0.3) as leases:
        leases.add([file_claim(1)], time.monotonic())
        until(lambda: leases.stopped, 5)
        with pytest.raises(Fenced):
            leases.require("f1")


LEASE_SECONDS = 60.0


def claimed(attempt: int, name: str = "f") -> FileClaim:
    return FileClaim(file_execution_id=name, attempt=attempt, file=FileHashData(file_name=name, file_path=name))


def keeper(client: Any = None) -> LeaseKeeper:
    return LeaseKeeper(client, "e", "me", LEASE_SECONDS)


def test_a_file_that_was_lost_and_is_claimed_again_is_renewed_like_any_other() -> None:
    leases, now = keeper(), time.monotonic()
    first, second = Lease(file_execution_id="f", attempt=1), Lease(file_execution_id="f", attempt=3)
    leases.add([claimed(1)], now - LEASE_SECONDS)
    leases.renewed([first], ["f"], now)
    assert not leases.is_held("f")
    leases.add([claimed(3)], now - LEASE_SECONDS)
    with pytest.raises(Fenced):
        leases.require("f")
    leases.renewed([second], [], now)
    leases.require("f")


def test_the_late_answer_about_an_earlier_attempt_takes_nothing_away() -> None:
    leases, now = keeper(), time.monotonic()
    leases.add([claimed(3)], now)
    leases.renewed([Lease(file_execution_id="f", attempt=1)], ["f"], now)
    leases.require("f")
    leases.renewed([Lease(file_execution_id="f", attempt=1)], [], now - 2 * LEASE_SECONDS)
    leases.require("f")


LONG = 3600.0
"""A lease whose own renewals never come in a test."""


def test_a_notified_batch_checks_at_once_and_kills_its_tool_again_and_again(stop_command: Any) -> None:
    backend, execution_id = StoppableBackend(), str(uuid.uuid4())
    killed = threading.Semaphore(0)

    def kill() -> None:
        killed.release()
        raise NotFound("the run has not begun")

    with LeaseKeeper(backend, execution_id, "me", LONG) as leases:  # type: ignore[arg-type]
        leases.add(claims("a"), time.monotonic())
        with leases.interrupting("a", kill):
            stop_command(str(uuid.uuid4()))
            stop_command(execution_id)
            until(lambda: backend.renewals == 1, 5)
            assert not leases.stopped and not killed.acquire(blocking=False), "the backend alone knows"
            backend.stopping = True
            stop_command(execution_id)
            for _ in range(3):
                assert killed.acquire(timeout=5.0)
        assert leases.stopped and backend.renewals == 2


def test_a_hint_is_kept_until_there_is_a_file_to_check(stop_command: Any) -> None:
    backend, execution_id = StoppableBackend(), str(uuid.uuid4())
    backend.stopping = True
    with LeaseKeeper(backend, execution_id, "me", LONG) as leases:  # type: ignore[arg-type]
        stop_command(execution_id)
        time.sleep(0.3)
        assert backend.renewals == 0
        leases.add(claims("a"), time.monotonic())
        until(lambda: leases.stopped, 5)


def test_no_delivery_starts_after_a_stop_and_a_started_one_may_be_tried_again() -> None:
    leases = LeaseKeeper(StoppableBackend(), "e", "me", 60.0)  # type: ignore[arg-type]
    leases.add(claims("a", "late"), time.monotonic())
    leases.stop()
    with pytest.raises(Fenced, match="stopped"):
        leases.require("a")
    leases.require("a", started=True)
    leases.add(claims("late"), time.monotonic() - 61)
    with pytest.raises(Fenced, match="lost"):
        leases.require("late", started=True)
