"""Tools that do their worst, each in a process of its own: what they cost, and what they cannot do."""

from __future__ import annotations

import json
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.integration.runner.process import KEY, MEGABYTE, Runner, eventually, is_alive, tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the process engine is tested on Linux")


def test_a_python_tool_publishes_its_result(runner: Runner) -> None:
    folder = runner.folder(b"four")
    state = runner.run("copy", folder=folder)
    path = runner.storage / folder
    metadata = json.loads((path / "METADATA.json").read_bytes())
    assert (state["phase"], state["exit_code"]) == ("SUCCEEDED", 0)
    assert state["tool_metadata"]["tool_name"] == "probe"
    assert state["cpu_seconds"] > 0 and state["max_rss_bytes"] > MEGABYTE
    assert state["started_at"] <= state["finished_at"]
    assert [entry["tool_name"] for entry in metadata["tool_metadata"]] == ["probe"]
    assert metadata["kept"] == {"by": "us"} and metadata["organization_id"] == "org-1"
    assert [p.relative_to(path).parts for p in path.rglob("*") if p.is_file() and "COPY_TO_FOLDER" in p.parts] == [
        ("COPY_TO_FOLDER", "a bin", "größe", "a 'b'\n\"c\".txt")
    ]
    assert sorted(p.name for p in path.iterdir()) == ["COPY_TO_FOLDER", "INFILE", "METADATA.json", "SOURCE"]
    assert eventually(lambda: not any(runner.work.glob("*/run-*")))


def test_a_shell_script_is_a_tool(runner: Runner) -> None:
    folder = runner.folder(b"paper")
    state = runner.put("stamp-1", folder, tool_id="stamp", settings={"word": "ink"}).json()
    assert state["phase"] == "SUCCEEDED", state
    assert (runner.storage / folder / "INFILE").read_text() == 'stamped with {"word":"ink"}: paper'


def test_a_program_fails_as_a_python_tool_does(runner: Runner) -> None:
    crash = runner.put("stamp-2", runner.folder(), tool_id="stamp", settings={"word": "crash"}).json()
    exit_code = runner.put("stamp-3", runner.folder(), tool_id="stamp", settings={"word": "fail"}).json()
    said = runner.put("stamp-4", runner.folder(), tool_id="stamp", settings={"word": "say"}).json()
    assert (crash["error_code"], crash["signal"]) == ("tool_crashed", signal.SIGSEGV)
    assert (exit_code["error_code"], exit_code["error"]) == ("tool_failed", "the tool failed with exit code 3: no ink")
    assert (said["error_code"], said["error"]) == ("corrupt_file", "the page is torn")


SMALL = {"wall_seconds": 20.0, "cpu_seconds": 10, "memory_bytes": 300 * MEGABYTE, "file_size_bytes": 20 * MEGABYTE}
FAILURES = [
    ("segv", 0, {}, "tool_crashed", "used memory it does not have (signal 11)"),
    ("abort", 0, {}, "tool_crashed", "gave up (signal 6)"),
    ("leave", 3, {}, "tool_failed", "exit code 3: cannot read page seven"),
    ("password", 0, {}, "password_required", "the PDF is encrypted"),
    ("hang", 0, {"wall_seconds": 0.5}, "tool_timeout", "longer than 0.5 s"),
    ("spin", 0, {"cpu_seconds": 1}, "tool_timeout", "more than 1 s of CPU"),
    ("eat", 0, {}, "tool_memory_exceeded", "memory"),
    ("eat_together", 100 * MEGABYTE, {}, "tool_memory_exceeded", "300 MB of memory"),
    ("write_one", 1024, {}, "tool_output_too_large", "20 MB"),
    ("write_many", 200, {}, "tool_output_too_large", "20 MB"),
    ("write_one", 20, {"file_size_bytes": 20 * MEGABYTE}, "tool_output_too_large", "20 MB"),
    ("flood", 30, {}, "tool_output_too_large", "20 MB"),
    ("fork", 30, {"processes": 8}, "tool_failed", "more than 8 processes"),
    ("flood_then_fail", 3, {}, "password_required", "at the very end"),
    ("link", 0, {}, "tool_result_invalid", "symbolic link"),
]


@pytest.mark.parametrize(("do", "amount", "limits", "code", "words"), FAILURES)
def test_a_failing_tool_costs_only_its_own_document(
    runner: Runner, do: str, amount: int, limits: dict[str, Any], code: str, words: str
) -> None:
    folder, neighbour = runner.folder(), runner.folder()
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(runner.put, f"neighbour-of-{folder[-5:].strip('/-')}-{do}", neighbour)
        state = runner.run(do, amount, folder=folder, limits={**SMALL, **limits})
        assert (state["phase"], state["error_code"]) == ("FAILED", code), state
        assert words in state["error"]
        assert runner.untouched(folder)
        assert other.result().json()["phase"] == "SUCCEEDED"
    assert eventually(lambda: not any(runner.work.glob("*/run-*")))
    zygotes = tree(runner.process.pid)
    assert eventually(lambda: all(not tree(zygote) for zygote in zygotes))


@pytest.mark.parametrize(("do", "code"), [("eat", "tool_memory_exceeded"), ("write", "tool_output_too_large")])
def test_a_program_is_held_to_the_limits(runner: Runner, do: str, code: str) -> None:
    folder = runner.folder()
    state = runner.put(f"plain-{do}", folder, tool_id="plain", settings={"do": do}, limits=SMALL).json()
    assert state["error_code"] == code, state
    assert runner.untouched(folder)


@pytest.mark.parametrize("kind", ["nothing", "no_metadata", "bad_metadata", "bad_json", "no_infile"])
def test_exit_code_0_without_a_valid_result_is_a_failure(runner: Runner, kind: str) -> None:
    folder = runner.folder()
    state = runner.put(f"silent-{kind}", folder, tool_id="silent", settings={"do": kind}).json()
    assert (state["phase"], state["error_code"], state["exit_code"]) == ("FAILED", "tool_result_invalid", 0)
    assert runner.untouched(folder)


def test_log_lines_and_garbage_decide_nothing(runner: Runner) -> None:
    assert runner.run("chatter")["phase"] == "SUCCEEDED"
    assert runner.run("flood", 3)["phase"] == "SUCCEEDED"
    assert runner.run("threads", 8)["phase"] == "SUCCEEDED"


def test_a_tool_cannot_change_whose_file_it_is(runner: Runner) -> None:
    folder = runner.folder()
    assert runner.run("rewrite", folder=folder)["phase"] == "SUCCEEDED"
    assert json.loads((runner.storage / folder / "METADATA.json").read_bytes())["organization_id"] == "org-1"
    folder = runner.folder()
    assert runner.run("truncate_source", folder=folder)["phase"] == "SUCCEEDED"
    assert (runner.storage / folder / "SOURCE").read_bytes() == b"hello"


def test_an_unreadable_folder_of_the_tool_is_removed(runner: Runner) -> None:
    assert runner.run("lock_folder")["phase"] == "SUCCEEDED"
    assert eventually(lambda: not any(runner.work.glob("*/run-*")))


def test_nothing_of_the_runner_reaches_a_tool(runner: Runner) -> None:
    folder = runner.folder()
    runner.run("environment", folder=folder)
    seen = runner.result(folder)
    everything = json.dumps(seen)
    for secret in (KEY, "database-secret", "cloud-secret"):
        assert secret not in everything
    assert set(seen["environment"]) <= {
        "PATH", "PYTHONPATH", "LANG", "HOME", "TMPDIR", "OMP_THREAD_LIMIT", "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "EXECUTION_DATA_DIR", "LC_CTYPE",
    }  # fmt: skip
    assert seen["cwd"] == seen["environment"]["EXECUTION_DATA_DIR"]
    assert seen["cwd"].startswith(seen["environment"]["HOME"])
    assert seen["stdin"] == "" and seen["session"] is True
    assert len(seen["descriptors"]) == 4  # 0, 1, 2 and the one that lists them
    assert "NoNewPrivs:\t1" in seen["status"]
    core = next(line.split() for line in seen["limits"].splitlines() if line.startswith("Max core"))
    assert core[4:6] == ["0", "0"]

    other = runner.folder()
    runner.put("plain-environment", other, tool_id="plain")
    assert set(runner.result(other)["environment"]) - {"LC_CTYPE"} <= set(seen["environment"])


@pytest.mark.parametrize("do", ["escape", "leave_child"])
def test_nothing_a_tool_started_outlives_it(runner: Runner, do: str) -> None:
    folder = runner.folder()
    assert runner.run(do, folder=folder)["phase"] == "SUCCEEDED"
    pids = runner.result(folder)["pids"]
    assert pids and not any(is_alive(pid) for pid in pids)
