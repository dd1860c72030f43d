"""A process dies in the middle of a call: the execution ends, and the result can be polled."""

from __future__ import annotations

import http.client
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bench.api import WORKERS, calls_of_one, publish
from bench.fleet import Fleet as CountedFleet
from fleet import Fleet, Stage, children, until
from published import BETTER, Published

CALLS = 4


def test_the_backend_is_killed_while_a_call_waits(fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    api = Published.publish(fleet, stage.tool)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(api.post, ("a.txt", "wait"), timeout="60")
        stage.await_starts(1)
        execution_id = api.client.executions(status="EXECUTING", limit=1)[0].id
        os.kill(fleet.service("backend"), signal.SIGKILL)
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            call.result(30)
    stage.open()

    def ended() -> object:
        try:
            answer = api.poll(str(execution_id), BETTER)
        except (OSError, http.client.HTTPException):
            return None  # it is being restarted
        return answer if answer.status == 200 else None

    answer = until(ended)
    assert answer.body["status"] == "COMPLETED", answer
    assert [item["status"] for item in answer.body["message"]] == ["Success"]


def test_the_worker_that_took_the_call_is_killed(fleet: Fleet) -> None:
    api = Published.publish(fleet)
    worker = fleet.worker("api_deployment")
    pool = children(worker)
    assert pool
    for pid in pool:
        os.kill(pid, signal.SIGSTOP)  # whoever takes the message gets no further than that
    execution_id = api.post(("a.txt", "text")).body["message"]["execution_id"]
    assert api.poll(execution_id).body["status"] == "PENDING"
    for pid in (worker, *pool):
        os.kill(pid, signal.SIGKILL)
    until(lambda: api.client.execution(execution_id).execution.status.is_final)
    answer = api.poll(execution_id)
    assert (answer.status, answer.body["status"]) == (200, "COMPLETED"), answer
    assert [item["status"] for item in answer.body["message"]] == ["Success"]


def test_a_call_with_one_file_costs_four_internal_calls_and_leaves_no_file_behind() -> None:
    with CountedFleet(workers=WORKERS, counted=True) as fleet:
        calls = calls_of_one(fleet, publish(fleet))
        left = [path for path in fleet.system.data.storage.rglob("*") if path.is_file()]
    assert sum(calls.values()) == CALLS, calls
    assert left == []
    for end in ("/files/register/", "/files/claim/", "/files/report/"):
        assert any(path.endswith(end) for path in calls), f"no call to {end} was counted"
