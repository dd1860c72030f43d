"""What a worker's parent reports about a dead child."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from docfleet.core.batch_calls import LostProcess
from docfleet.core.names import TaskName
from docfleet.workers.shared.infrastructure.celery import lost_children

BATCH = {"file_data": {"organization_id": "o", "execution_id": "e", "workflow_id": "w"}}


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
    assert lost_children.execution_of(task, args, kwargs) == ("o", "e")


@pytest.mark.parametrize("args", [[], [None], [{}], ["text"], [{"file_data": None}]])
def test_a_message_that_cannot_be_read_names_none(args: list[Any]) -> None:
    assert lost_children.execution_of(TaskName.PROCESS_FILE_BATCH, args, {}) is None
    assert lost_children.execution_of(TaskName.SWEEP, [], {}) is None


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
    monkeypatch.setattr(lost_children, "settings", lambda: given)
    yield Backend
    Backend.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


LOST = LostProcess(owner="n/1", execution_id="e", file_execution_id="f")


def test_a_lost_child_is_reported_to_the_backend(backend: type[Backend]) -> None:
    lost_children.report("o", LOST)
    body = {"owner": "n/1", "execution_id": "e", "file_execution_id": "f"}
    assert backend.told == [("/internal/v1/workers/lost-process/", "o", body)]


def test_a_backend_that_hangs_holds_the_parent_up_for_two_seconds_at_most(backend: type[Backend]) -> None:
    backend.go_on.clear()
    began = time.monotonic()
    lost_children.report("o", LOST)
    assert 1.5 < time.monotonic() - began < 15  # the backend hangs for 20 s


def test_a_backend_that_is_away_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    given = type("Settings", (), {"internal_api_base_url": "http://127.0.0.1:1", "internal_service_api_key": "k"})
    monkeypatch.setattr(lost_children, "settings", lambda: given)
    lost_children.report("o", LOST)
