"""The zygote and its runner are killed: no process stays, and runs end with the reason."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from docfleet.runner.run_marks import MAX_DEATHS
from tests.integration.runner.process import Runner, eventually, is_alive, tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the process engine is tested on Linux")


def test_a_killed_runner_leaves_no_process_and_its_folders_are_swept(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner(RUNNER_CONCURRENCY="3")
    for number, do in enumerate(("hang", "fork", "ok")):
        runner.put(f"doomed-{number}", runner.folder(), wait=0, settings={"do": do, "amount": 3})
    runner.put("doomed-program", runner.folder(), wait=5, tool_id="stamp")
    assert eventually(lambda: len(tree(runner.process.pid)) >= 7)
    everything = tree(runner.process.pid)
    runner.process.kill()
    runner.process.wait()
    assert eventually(lambda: not any(is_alive(pid) for pid in everything))
    left = list(runner.work.iterdir())
    assert len(left) == 1
    runner.start()
    assert not left[0].exists()


def test_signals_while_a_zygote_ends_do_not_keep_it_from_ending_its_runs(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner()
    runner.put("forked", runner.folder(), wait=0, settings={"do": "fork", "amount": 3})
    assert eventually(lambda: len(tree(runner.process.pid)) == 5)
    zygote, *below = tree(runner.process.pid)
    os.kill(runner.process.pid, signal.SIGSTOP)  # it must not get the chance to clean up
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) * 2_000:
        os.kill(zygote, number)
    assert eventually(lambda: not any(is_alive(pid) for pid in below))
    runner.process.kill()


def test_a_tool_dies_even_when_runner_and_zygote_are_killed_together(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner()
    runner.put("orphaned", runner.folder(), wait=0, settings={"do": "hang"})
    assert eventually(lambda: any(runner.work.glob("*/run-*/data/HANGS")))
    zygote, tool = tree(runner.process.pid)
    os.kill(runner.process.pid, signal.SIGSTOP)  # it must not get the chance to clean up
    os.kill(zygote, signal.SIGKILL)
    assert eventually(lambda: not is_alive(tool))
    runner.process.kill()


def test_a_killed_zygote_is_replaced_and_its_runs_fail_with_the_reason(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner()
    runner.put("lost", runner.folder(), wait=0, settings={"do": "fork", "amount": 2})
    assert eventually(lambda: len(tree(runner.process.pid)) == 4)
    zygote, *below = tree(runner.process.pid)
    os.kill(zygote, signal.SIGKILL)
    state = runner.session.get(f"{runner.url}/v1/runs/lost", params={"wait": 30}).json()
    assert (state["phase"], state["error_code"]) == ("FAILED", "runner_unavailable")
    assert "runner lost the process" in state["error"]
    assert eventually(lambda: not any(is_alive(pid) for pid in below))
    again = runner.put("lost", runner.folder(), wait=0, settings={"do": "ok"})
    assert again.status_code == 200, "a run without a verdict may be sent again under its id"
    assert runner.run("ok")["phase"] == "SUCCEEDED"


def test_a_tool_that_kills_its_zygote_takes_nobody_along_and_fails_the_second_time(
    own_runner: Callable[..., Runner],
) -> None:
    runner = own_runner(RUNNER_CONCURRENCY="2")
    hanging = {"folder": runner.folder(), "settings": {"do": "hang"}}
    runner.put("innocent", wait=0, **hanging)
    assert eventually(lambda: any(runner.work.glob("*/run-*/data/HANGS")))
    deadly = {"folder": runner.folder(), "settings": {"do": "kill_parent"}}
    first = runner.put("deadly", **deadly).json()
    assert (first["phase"], first["error_code"]) == ("FAILED", "runner_unavailable")
    assert runner.session.get(f"{runner.url}/v1/runs/innocent", params={"wait": 10}).json()["phase"] == "FAILED"
    runner.put("innocent", wait=0, **hanging)
    assert eventually(lambda: any(runner.work.glob("*/run-*/data/HANGS")))
    second = runner.put("deadly", **deadly).json()
    assert (second["phase"], second["error_code"]) == ("FAILED", "tool_crashed")
    assert "twice" in second["error"]
    assert runner.session.get(f"{runner.url}/v1/runs/innocent").json()["phase"] == "RUNNING"


def test_a_run_that_runners_die_over_is_alone_and_fails_in_the_end(own_runner: Callable[..., Runner]) -> None:
    """As when a container is killed for the memory of one tool. Each attempt has a folder of its own."""
    runner = own_runner(RUNNER_CONCURRENCY="2")
    first = runner.folder()
    hanging = {"settings": {"do": "hang"}, "file_execution_id": "deadly"}

    def begun() -> list[Path]:
        return list(runner.work.glob("*/run-*/data/HANGS"))

    for death in range(MAX_DEATHS):
        folder = f"{first.rpartition('/')[0]}/attempt-{death}"
        shutil.copytree(runner.storage / first, runner.storage / folder)
        runner.put("deadly", folder, wait=0, **hanging)
        assert eventually(lambda: len(begun()) == 1)
        runner.put("beside", runner.folder(), wait=0, settings={"do": "hang"})
        if death:  # nobody runs beside it any more
            waiting = runner.session.get(f"{runner.url}/v1/runs/beside", params={"wait": 1.0}).json()
            assert waiting["phase"] == "RUNNING" and "started_at" not in waiting
        else:
            assert eventually(lambda: len(begun()) == 2)
        runner.process.kill()
        runner.process.wait()
        runner.start()
    state = runner.put("deadly", first, **hanging).json()
    assert (state["phase"], state["error_code"]) == ("FAILED", "tool_crashed")
    assert f"died {MAX_DEATHS} times" in state["error"]
    assert runner.run("ok")["phase"] == "SUCCEEDED"


def test_a_run_that_ends_leaves_no_mark(own_runner: Callable[..., Runner]) -> None:
    runner = own_runner()
    runner.run("ok")
    runner.run("segv")
    runner.put("stopped", runner.folder(), wait=0, settings={"do": "hang"})
    assert eventually(lambda: any(runner.work.glob("*/run-*/data/HANGS")))
    assert len(list(runner.storage.rglob(".begun-*"))) == 1
    runner.session.delete(f"{runner.url}/v1/runs/stopped")
    assert not list(runner.storage.rglob(".begun-*"))
