"""The runner's HTTP API: faults of requests, its key, and clients that go away."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack

import pytest
import requests

from docfleet.runner.app import MAX_REQUEST_BYTES
from tests.integration.runner.process import KEY, Runner, eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the process engine is tested on Linux")


def test_a_long_poll_that_goes_away_harms_nothing(runner: Runner) -> None:
    folder = runner.folder()
    with pytest.raises(requests.exceptions.ReadTimeout):
        runner.session.put(
            f"{runner.url}/v1/runs/left?wait=60",
            json={"tool_id": "probe", "folder": folder, "step": 1, "settings": {"do": "hang"}},
            timeout=(20, 2.0),
        )
    # Who asks now does not wait for the end of the poll that went away.
    asked = lambda: runner.session.get(f"{runner.url}/v1/runs/left", params={"wait": 0.2}, timeout=30).json()  # noqa: E731
    assert eventually(lambda: asked().get("phase") == "RUNNING")
    runner.session.delete(f"{runner.url}/v1/runs/left")


def test_every_fault_of_a_request_is_a_problem(runner: Runner) -> None:
    folder = runner.folder()
    cases = [
        (runner.put("p1", "org/workflow/nowhere/file"), 404, "not_found"),
        (runner.put("p2", "../../etc"), 400, "unsafe_path"),
        (runner.put("p3", "/etc"), 400, "unsafe_path"),
        (runner.put("p4", folder, tool_id="nothing"), 400, "tool_unknown"),
        (runner.put("p5", folder, step=0), 400, "invalid_input"),
        (runner.put("p6", folder, settings=[]), 400, "invalid_input"),
        (runner.put("p7", folder, wait=-1), 400, "invalid_input"),
        (runner.put("p 8", folder), 400, "invalid_input"),
        (runner.session.get(f"{runner.url}/v1/runs/unknown"), 404, "not_found"),
        (runner.session.delete(f"{runner.url}/v1/runs/unknown"), 404, "not_found"),
        (runner.session.get(f"{runner.url}/nowhere"), 404, "not_found"),
        (runner.session.post(f"{runner.url}/v1/runs/x"), 405, "invalid_input"),
    ]
    for answer, status, code in cases:
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.json()["detail"]
    assert "passthrough" in cases[3][0].json()["detail"]


@pytest.mark.parametrize("header", [None, "Bearer wrong", f"Basic {KEY}", f"Bearer {KEY}x", "Bearer"])
def test_without_the_key_nothing_is_done(runner: Runner, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    folder = runner.folder()
    body = {"tool_id": "probe", "folder": folder, "step": 1}
    for method in ("PUT", "GET", "DELETE"):
        answer = requests.request(method, f"{runner.url}/v1/runs/no-key", json=body, headers=headers, timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_allowed")
    assert runner.session.get(f"{runner.url}/v1/runs/no-key").status_code == 404
    assert requests.get(f"{runner.url}/livez", timeout=10).text == "ok"


def test_strangers_lock_no_worker_out(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner(RUNNER_MAX_CONNECTIONS="20")
    address = ("127.0.0.1", int(runner.url.rpartition(":")[2]))
    runner.session.close()  # an idle connection is closed for the others, perhaps while it is used again
    with ExitStack() as stack:
        for number in range(60):
            stranger = stack.enter_context(socket.create_connection(address, timeout=30))
            if number % 2:
                stranger.sendall(b"GET /livez HTTP/1.1\r\nHost: ")
        assert runner.run("ok")["phase"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("head", "status"), [(b"X: " + b"y" * 300_000, 431), (b"X: y\r\n" * 500, 431), (b"Host: a:b\r\n\r\n", 400)]
)
def test_a_head_is_bounded_and_well_formed(runner: Runner, head: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", int(runner.url.rpartition(":")[2])), timeout=30) as stranger:
        stranger.sendall(b"GET /livez HTTP/1.1\r\n" + head)
        assert stranger.recv(12) == b"HTTP/1.1 %d" % status


def test_a_body_is_bounded(runner: Runner) -> None:
    answer = runner.put("large", runner.folder(), settings={"x": "y" * MAX_REQUEST_BYTES})
    assert answer.status_code == 413 and str(MAX_REQUEST_BYTES) in answer.json()["detail"]
