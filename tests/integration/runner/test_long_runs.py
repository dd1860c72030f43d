"""Documents that take long beside others, in a runner with two slots."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.runner.process import Runner, eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the process engine is tested on Linux")

LIMITS = {"wall_seconds": 60.0, "first_seconds": 1.0}


def state(runner: Runner, run_id: str, wait: float = 0) -> dict[str, Any]:
    found: dict[str, Any] = runner.session.get(
        f"{runner.url}/v1/runs/{run_id}", params={"wait": wait}, timeout=60
    ).json()
    return found


def test_documents_that_take_long_do_not_hold_every_slot(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner(RUNNER_CONCURRENCY="2")
    folders = {name: runner.folder() for name in ("one", "two")}
    for name, folder in folders.items():
        runner.put(name, folder, wait=0, settings={"do": "hang"}, limits=LIMITS)
    assert eventually(lambda: [state(runner, name)["phase"] for name in folders].count("FAILED") == 1, within=20.0)
    kept, ended = sorted(folders, key=lambda name: state(runner, name)["phase"] == "FAILED")
    assert state(runner, ended)["error_code"] == "runner_busy"
    assert "longer than 1 s" in state(runner, ended)["error"] and "RUNNER_LONG_RUNS" in state(runner, ended)["error"]
    assert runner.untouched(folders[ended])
    assert runner.run("ok", limits=LIMITS)["phase"] == "SUCCEEDED", "a slot is free for the others"

    again = runner.put("again", folders[ended], wait=30, settings={"do": "hang"}, limits=LIMITS).json()
    assert (again["error_code"], again.get("started_at", 0)) == ("runner_busy", 0), "it waits without a process"
    assert state(runner, kept)["phase"] == "RUNNING"
    runner.session.delete(f"{runner.url}/v1/runs/{kept}", timeout=30)
    done = runner.put("again", folders[ended], settings={"do": "slow", "amount": 20}, limits=LIMITS)
    assert done.status_code == 200 and done.json()["phase"] == "SUCCEEDED", "it has a place now, and all the time"


def test_a_document_whose_pages_come_forward_needs_no_place(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner(RUNNER_CONCURRENCY="2", RUNNER_LONG_RUNS="1")
    runner.put("hangs", runner.folder(), wait=0, settings={"do": "hang"}, limits=LIMITS)
    time.sleep(1.5)
    assert state(runner, "hangs")["phase"] == "RUNNING"
    assert runner.run("pages", 20, limits=LIMITS)["phase"] == "SUCCEEDED"


def test_a_document_that_needs_all_the_time_has_it_and_no_more(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner(RUNNER_CONCURRENCY="1")
    assert runner.run("slow", 20, limits={**LIMITS, "first_seconds": 0.3})["phase"] == "SUCCEEDED"
    ended = runner.run("pages", 100, limits={"wall_seconds": 2.0, "first_seconds": 0.3})
    assert ended["error_code"] == "tool_timeout"
    for word in ("longer than 2 s", "of 100 pages", "TOOL_TIMEOUT_SECONDS", "split"):
        assert word in ended["error"], ended["error"]
