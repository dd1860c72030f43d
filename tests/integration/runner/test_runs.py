"""The runner as a real process over HTTP, with tools that do their worst. Every run here is a real process."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.runner.process import MEGABYTE, Runner, eventually, is_alive, tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the process engine is tested on Linux")


def test_tools_run_in_order_each_reading_the_last_output(runner: Runner) -> None:
    folder = runner.folder()
    runner.run("upper", folder=folder)
    second = runner.put("second-step", folder, step=2, settings={"do": "upper"}).json()
    assert second["phase"] == "SUCCEEDED"
    assert runner.result(folder) == {"text": '{"TEXT": "HELLO"}'}
    assert (runner.storage / folder / "SOURCE").read_bytes() == b"hello"


def test_a_nice_run_leaves_the_processors_to_others(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner()
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    for name, limits in {"nice": {"nice": 10}, "usual": {}}.items():
        folder = runner.folder()
        runner.put(name, folder, wait=0, settings={"do": "hang"}, limits=limits)
        assert eventually(lambda: len(tree(runner.process.pid)) == 2)
        tool = tree(runner.process.pid)[-1]
        expected = usual + int(limits.get("nice", 0))
        assert eventually(lambda: os.getpriority(os.PRIO_PROCESS, tool) == expected)  # noqa: B023
        sessions = Path(f"/proc/{tool}/autogroup")
        assert not sessions.exists() or eventually(lambda: sessions.read_text().endswith(f"nice {expected}\n"))  # noqa: B023
        runner.session.delete(f"{runner.url}/v1/runs/{name}")
        assert eventually(lambda: len(tree(runner.process.pid)) == 1)


def test_put_twice_is_one_process(runner: Runner) -> None:
    folder = runner.folder()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: runner.put("same", folder).json(), range(6)))
    assert len({answer["finished_at"] for answer in answers}) == 1
    assert len(json.loads((runner.storage / folder / "METADATA.json").read_bytes())["tool_metadata"]) == 1
    before = runner.result(folder)["pid"]
    assert runner.put("same", folder).json() == answers[0]
    assert runner.result(folder)["pid"] == before
    changed = runner.put("same", folder, settings={"do": "ok", "amount": 1})
    assert (changed.status_code, changed.json()["code"]) == (409, "conflict")


def test_two_ids_for_one_step_run_it_once(runner: Runner) -> None:
    folder = runner.folder()
    with ThreadPoolExecutor(2) as pool:
        states = list(pool.map(lambda name: runner.put(name, folder).json(), ["first-id", "second-id"]))
    assert [state["phase"] for state in states] == ["SUCCEEDED", "SUCCEEDED"]
    assert len(json.loads((runner.storage / folder / "METADATA.json").read_bytes())["tool_metadata"]) == 1


def test_a_published_step_is_not_run_again_and_a_later_one_not_yet(runner: Runner) -> None:
    folder = runner.folder(steps=1)
    done = runner.put("resumed", folder, step=1).json()
    assert (done["phase"], done["tool_metadata"]["tool_name"]) == ("SUCCEEDED", "t0")
    assert done.get("started_at", 0) == 0
    early = runner.put("too-early", folder, step=3)
    assert (early.status_code, early.json()["code"]) == (409, "conflict")


def test_a_publication_that_was_cut_short_is_finished(runner: Runner) -> None:
    folder = runner.folder()
    path = runner.storage / folder
    metadata = json.loads((path / "METADATA.json").read_bytes())
    metadata["tool_metadata"] = [{"tool_name": "cut", "elapsed_time": 1.0, "output_type": "TXT"}]
    (path / ".INFILE.1").write_text("the result")
    uncommitted = runner.put("cut-0", runner.folder()).json()
    (path / ".METADATA.json.1").write_text(json.dumps(metadata))
    state = runner.put("cut-1", folder).json()
    assert uncommitted["phase"] == "SUCCEEDED"
    assert (state["phase"], state["tool_metadata"]["tool_name"]) == ("SUCCEEDED", "cut")
    assert (path / "INFILE").read_text() == "the result"
    assert sorted(p.name for p in path.iterdir()) == ["INFILE", "METADATA.json", "SOURCE"]


def test_delete_kills_and_answers_stopped(runner: Runner) -> None:
    folder = runner.folder()
    assert runner.put("stop-me", folder, wait=0, settings={"do": "hang"}).json()["phase"] == "RUNNING"
    assert eventually(lambda: any(runner.work.glob("*/run-*/data/HANGS")))
    for _ in range(2):
        state = runner.session.delete(f"{runner.url}/v1/runs/stop-me", timeout=30).json()
        assert (state["phase"], state["error_code"]) == ("STOPPED", "tool_stopped")
    assert runner.session.get(f"{runner.url}/v1/runs/stop-me").json() == state
    assert runner.untouched(folder)


def test_sigterm_lets_tools_finish_then_ends_them_and_leaves_nothing(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner(RUNNER_GRACE_SECONDS="8", RUNNER_CONCURRENCY="1")
    runner.run("ok")
    with ThreadPoolExecutor(2) as pool:
        hanging = pool.submit(runner.put, "hanging", runner.folder(), settings={"do": "hang"})
        assert eventually(lambda: any(runner.work.glob("*/run-*/data/HANGS")))
        queued = pool.submit(runner.put, "queued", runner.folder())
        assert eventually(lambda: runner.session.get(f"{runner.url}/v1/runs/queued").status_code == 200)
        everything = tree(runner.process.pid)
        runner.process.terminate()
        assert eventually(lambda: runner.session.get(f"{runner.url}/readyz").status_code == 503)
        refused = runner.put("late", runner.folder())
        assert (refused.status_code, refused.json()["code"]) == (503, "runner_unavailable")
        assert queued.result().json()["error_code"] == "runner_unavailable"
        assert hanging.result().json()["error_code"] == "runner_unavailable"
    assert runner.process.wait(60) == 0
    assert not any(is_alive(pid) for pid in everything)
    assert list(runner.work.iterdir()) == []


def test_final_runs_are_forgotten(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner(RUN_RETENTION_COUNT="2")
    for number in range(4):
        assert runner.put(f"kept-{number}", runner.folder()).json()["phase"] == "SUCCEEDED"
    status = [runner.session.get(f"{runner.url}/v1/runs/kept-{number}").status_code for number in range(4)]
    assert status == [404, 404, 200, 200]


def test_at_most_the_allowed_number_runs_at_once(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner(RUNNER_CONCURRENCY="2")
    for number in range(4):
        runner.put(f"busy-{number}", runner.folder(), wait=0, settings={"do": "hang"})
    assert eventually(lambda: len(list(runner.work.glob("*/run-*/data/HANGS"))) == 2)
    states = [runner.session.get(f"{runner.url}/v1/runs/busy-{number}").json() for number in range(4)]
    assert [state["phase"] for state in states] == ["RUNNING"] * 4
    assert [state.get("started_at", 0) > 0 for state in states] == [True, True, False, False]
    stopped = runner.session.delete(f"{runner.url}/v1/runs/busy-3").json()
    assert stopped["phase"] == "STOPPED"
    shutil.rmtree(runner.storage)
    runner.session.delete(f"{runner.url}/v1/runs/busy-0")
    gone = runner.session.get(f"{runner.url}/v1/runs/busy-2", params={"wait": 30}).json()
    assert (gone["phase"], gone["error_code"]) == ("FAILED", "not_found")


def test_a_kill_from_outside_is_no_verdict_on_the_document(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner(RUNNER_CONCURRENCY="1")
    folder = runner.folder()
    runner.put("killed", folder, wait=0, settings={"do": "hang"})
    assert eventually(lambda: any(runner.work.glob("*/run-*/data/HANGS")))
    os.kill(tree(runner.process.pid)[-1], signal.SIGKILL)
    state = runner.session.get(f"{runner.url}/v1/runs/killed", params={"wait": 30}).json()
    assert (state["phase"], state["error_code"]) == ("FAILED", "tool_killed")
    assert "from outside (signal 9)" in state["error"] and "memory" in state["error"]
    assert runner.untouched(folder)
    assert runner.put("killed", folder, settings={"do": "ok"}).json()["phase"] == "SUCCEEDED"


def test_a_runner_without_descriptors_blames_no_document(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner()
    runner.run("ok")
    folder = runner.folder()
    before = resource.prlimit(runner.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(runner.process.pid, resource.RLIMIT_NOFILE, (3, before[1]))
    answer = runner.put("starved", folder)
    resource.prlimit(runner.process.pid, resource.RLIMIT_NOFILE, before)
    assert (answer.status_code, answer.json()["code"]) == (503, "resource_exhausted"), answer.text
    assert "descriptor" in answer.json()["detail"]
    assert runner.put("starved", folder).json()["phase"] == "SUCCEEDED"


def test_a_result_that_is_too_large_is_refused_before_it_is_read(runner: Runner) -> None:
    folder = runner.folder()
    state = runner.run("large", 3, folder=folder, limits={"result_bytes": 2 * MEGABYTE})
    assert state["error_code"] == "tool_output_too_large"
    assert "3 MB, the limit is 2 MB" in state["error"] and "TOOL_RESULT_BYTES" in state["error"]
    assert runner.untouched(folder)
    assert runner.run("large", 1, limits={"result_bytes": 2 * MEGABYTE})["phase"] == "SUCCEEDED"
