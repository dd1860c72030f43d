"""The table of runs, with an engine that has what a machine can have."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from docfleet.core.runs import RunRequest, RunState
from docfleet.runner.engines.wire import RunEnded
from docfleet.runner.runs import RunTable
from docfleet.runner.settings import RunnerSettings


class Engine:
    """Ends each run as told; a ``BaseException`` is raised."""

    def __init__(self, *ends: RunEnded | BaseException) -> None:
        self.ends = list(ends)

    async def execute(self, *_: Any) -> RunEnded:
        end = self.ends.pop(0)
        if isinstance(end, BaseException):
            raise end
        return end

    def kill(self, _: str) -> None:
        pass


class Registry:
    def get(self, _: str) -> Any:
        return None


def run(tmp_path: Path, *ends: RunEnded | BaseException) -> list[RunState]:
    """One run that is sent as often as the engine has ends."""
    folder = tmp_path / "storage" / "o" / "w" / "e" / "f"
    folder.mkdir(parents=True)
    (tmp_path / "home").mkdir()
    for name, content in (("INFILE", "x"), ("SOURCE", "x"), ("METADATA.json", json.dumps({"tool_metadata": []}))):
        (folder / name).write_text(content)
    settings = RunnerSettings(runner_api_key="k" * 32, execution_storage_root=str(tmp_path / "storage"))
    registry: Any = Registry()
    engine: Any = Engine(*ends)
    request = RunRequest(tool_id="t", folder="o/w/e/f", step=1, file_execution_id="f")

    async def send() -> list[RunState]:
        table = RunTable(settings, registry, engine, tmp_path / "home")
        return [await table.put("r", request, 30.0) for _ in ends]

    return asyncio.run(send())


def error(number: int) -> OSError:
    return OSError(number, os.strerror(number), "/srv/runner/run-1/data")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EMFILE, "resource_exhausted"),
        (errno.ENFILE, "resource_exhausted"),
        (errno.ENOMEM, "resource_exhausted"),
        (errno.EAGAIN, "resource_exhausted"),
        (errno.ENOSPC, "storage_full"),
        (errno.EDQUOT, "storage_full"),
        (errno.EIO, "storage_failed"),
        (errno.ENOENT, "tool_failed"),
    ],
)
def test_the_machines_trouble_is_not_the_documents(tmp_path: Path, number: int, code: str) -> None:
    state = run(tmp_path, error(number))[0]
    assert (state.phase, state.error_code) == ("FAILED", code)
    assert state.error and "/srv/" not in state.error
    assert state.has_verdict == (code == "tool_failed")


def test_a_run_without_a_verdict_may_be_sent_again_and_one_with_it_not(tmp_path: Path) -> None:
    killed, failed = RunEnded(run_id="r", exit_code=None, signal=9), RunEnded(run_id="r", exit_code=1, signal=None)
    states = run(tmp_path, error(errno.EMFILE), killed, failed, failed)
    assert [state.error_code for state in states] == ["resource_exhausted", "tool_killed", "tool_failed", "tool_failed"]
    assert states[2] == states[3]
