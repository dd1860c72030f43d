"""What a worker's parent says of a dead child, and what a batch does while the runner is away."""

from __future__ import annotations

import json
import os
import threading
import time
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from docfleet.core.batch_calls import ClaimResponse, FileClaim, LostProcess, ReportRequest, ReportResponse
from docfleet.core.errors import RunnerUnavailable
from docfleet.core.files import FileBatchData, FileHashData, WorkerFileData
from docfleet.core.names import TaskName
from docfleet.workers.callback.tasks import process_batch_errback
from docfleet.workers.shared.infrastructure.celery import lost
from docfleet.workers.shared.infrastructure.process import file_in_work
from docfleet.workers.shared.workflow.execution.batch import BatchRun
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper

BATCH = {"file_data": {"organization_id": "o", "execution_id": "e", "workflow_id": "w"}}


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_in_work, "_table", None)
    file_in_work.watch_files()


def in_child(work: Any) -> int:
    """Run ``work`` in a forked child that then dies at once; its process id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads that other tests left
        child = os.fork()
    if child == 0:
        work()
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    return child


@pytest.mark.usefixtures("table")
def test_the_parent_reads_which_file_a_dead_child_was_at() -> None:
    name = "0b1c2d3e-1111-2222-3333-444455556666"

    def die_in_the_middle() -> None:
        with file_in_work.working_on(name):
            os.kill(os.getpid(), 9)

    def die_after() -> None:
        with file_in_work.working_on(name):
            pass

    assert file_in_work.file_of(in_child(die_in_the_middle)) == name
    assert file_in_work.file_of(in_child(die_after)) is None
    assert file_in_work.file_of(in_child(lambda: None)) is None


@pytest.mark.usefixtures("table")
def test_two_children_in_one_slot_never_name_each_others_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_in_work, "SLOTS", 1)

    def die_at(name: str) -> None:
        with file_in_work.working_on(name):
            os.kill(os.getpid(), 9)

    first, second = in_child(lambda: die_at("first")), in_child(lambda: die_at("second"))
    assert (file_in_work.file_of(first), file_in_work.file_of(second)) == (None, "second")


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
    assert lost.execution_of(task, args, kwargs) == ("o", "e")


@pytest.mark.parametrize("args", [[], [None], [{}], ["text"], [{"file_data": None}]])
def test_a_message_that_cannot_be_read_names_none(args: list[Any]) -> None:
    assert lost.execution_of(TaskName.PROCESS_FILE_BATCH, args, {}) is None
    assert lost.execution_of(TaskName.SWEEP, [], {}) is None


class Backend(BaseHTTPRequestHandler):
    """Takes reports; waits for ``go_on`` before it answers."""

    told: list[tuple[str, str, dict[str, Any]]] = []
    go_on = threading.Event()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.told.append((self.path, self.headers["X-Organization-ID"], body))
        self.go_on.wait(20)
        try:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
        except OSError:
            pass  # it has gone

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Backend]]:
    server = HTTPServer(("127.0.0.1", 0), Backend)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    Backend.told.clear()
    Backend.go_on.set()
    base = f"http://127.0.0.1:{server.server_port}/internal/"
    given = type("Settings", (), {"internal_api_base_url": base, "internal_service_api_key": "k"})
    monkeypatch.setattr(lost, "settings", lambda: given)
    yield Backend
    Backend.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


LOST = LostProcess(owner="n/1", execution_id="e", file_execution_id="f")


def test_a_lost_child_is_told_to_the_backend(backend: type[Backend]) -> None:
    lost.report("o", LOST)
    body = {"owner": "n/1", "execution_id": "e", "file_execution_id": "f"}
    assert backend.told == [("/internal/v1/workers/lost-process/", "o", body)]


def test_a_backend_that_hangs_holds_the_parent_up_for_two_seconds_at_most(backend: type[Backend]) -> None:
    backend.go_on.clear()
    began = time.monotonic()
    lost.report("o", LOST)
    assert 1.5 < time.monotonic() - began < 15  # the backend hangs for 20 s


def test_a_backend_that_is_away_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    given = type("Settings", (), {"internal_api_base_url": "http://127.0.0.1:1", "internal_service_api_key": "k"})
    monkeypatch.setattr(lost, "settings", lambda: given)
    lost.report("o", LOST)


class Files:
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
    files, runs = Files(), NoRunner()
    client: Any = files
    file_run: Any = runs
    leases = LeaseKeeper(client, "e", "me", 60.0)
    data = WorkerFileData(workflow_id="w", execution_id="e", organization_id="o")
    batch = BatchRun(FileBatchData(file_data=data), client, leases, file_run, claim_limit=3, has_to_leave=lambda: False)
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


@pytest.mark.parametrize("failure", [("task-id",), ("request", "error", "traceback")])
def test_the_errback_takes_what_celery_passes_old_and_new(
    failure: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr("docfleet.workers.callback.tasks.complete", lambda *args: asked.append(args) or {})
    process_batch_errback.run(*failure, execution_id="e", organization_id="o")
    assert asked == [([], "e", "o")]
