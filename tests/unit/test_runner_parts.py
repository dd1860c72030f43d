"""The runner's parts without a server: publication, output, verdicts, settings, what a zygote imports."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docfleet.core.errors import ConfigurationError, FileMissing, ToolResultInvalid
from docfleet.core.runs import RunLimits
from docfleet.core.settings import read_settings
from docfleet.runner import processes
from docfleet.runner.app import create_app
from docfleet.runner.engines.wire import RunEnded
from docfleet.runner.limits import MAX_FILES, FolderSize, folder_size
from docfleet.runner.logs import KEPT_BYTES, Output
from docfleet.runner.settings import RunnerSettings
from docfleet.runner.verdict import failure
from docfleet.runner.working import ExecutionFolder, WorkingFolder

KEY = "k" * 32
ENTRY = {"tool_name": "t", "elapsed_time": 0.5, "output_type": "TXT"}


def execution_folder(root: Path) -> Path:
    folder = root / "execution"
    folder.mkdir()
    (folder / "SOURCE").write_bytes(b"old")
    (folder / "INFILE").write_bytes(b"old")
    (folder / "METADATA.json").write_text(json.dumps({"source_name": "a", "tool_metadata": []}))
    return folder


def finished_run(execution: ExecutionFolder, root: Path) -> WorkingFolder:
    working = WorkingFolder(root)
    execution.copy_in(working)
    (working.data / "INFILE").write_bytes(b"new")
    (working.data / "COPY_TO_FOLDER" / "bin").mkdir(parents=True, exist_ok=True)
    (working.data / "COPY_TO_FOLDER" / "bin" / "a").write_bytes(b"copy")
    metadata = json.loads((working.data / "METADATA.json").read_text())
    metadata["tool_metadata"].append(ENTRY)
    (working.data / "METADATA.json").write_text(json.dumps(metadata))
    return working


class PowerCut(BaseException):
    pass


def published(folder: Path) -> tuple[int, bytes]:
    return len(json.loads((folder / "METADATA.json").read_bytes())["tool_metadata"]), (folder / "INFILE").read_bytes()


@pytest.mark.parametrize("moves", range(6))
def test_a_publication_is_all_or_nothing_wherever_it_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    folder = execution_folder(tmp_path)
    execution = ExecutionFolder(folder)
    working = finished_run(execution, tmp_path / "run")
    done = 0
    rename = Path.rename

    def cut(self: Path, target: Path) -> Path:
        nonlocal done
        if done == moves:
            raise PowerCut
        done += 1
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", cut)
    try:
        execution.publish(working, 1)
    except PowerCut:
        # Who reads the new metadata without asking the runner must find the new INFILE.
        assert published(folder) in {(0, b"old"), (0, b"new")}
    monkeypatch.undo()
    steps = len(ExecutionFolder(folder).steps)
    assert published(folder) == ((1, b"new") if steps else (0, b"old"))
    assert steps == (1 if moves >= 3 else 0)
    if not steps:
        again = ExecutionFolder(folder)
        again.publish(finished_run(again, tmp_path / "again"), 1)
        assert published(folder) == (1, b"new")
    assert sorted(path.name for path in folder.iterdir()) == ["COPY_TO_FOLDER", "INFILE", "METADATA.json", "SOURCE"]
    assert (folder / "COPY_TO_FOLDER" / "bin" / "a").read_bytes() == b"copy"


def test_a_result_moves_between_file_systems(tmp_path: Path) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    folder = execution_folder(tmp_path)
    execution = ExecutionFolder(folder)
    working = finished_run(execution, memory / f"docfleet-test-{os.getpid()}")
    try:
        execution.publish(working, 1)
    finally:
        working.remove()
    assert published(folder) == (1, b"new")
    assert not list(folder.glob(".*"))


def test_only_what_the_tool_changed_is_copied_back(tmp_path: Path) -> None:
    folder = execution_folder(tmp_path)
    (folder / "COPY_TO_FOLDER").mkdir()
    (folder / "COPY_TO_FOLDER" / "earlier").write_bytes(b"earlier")
    before = (folder / "COPY_TO_FOLDER" / "earlier").stat().st_ino
    execution = ExecutionFolder(folder)
    execution.publish(finished_run(execution, tmp_path / "run"), 1)
    assert (folder / "COPY_TO_FOLDER" / "earlier").stat().st_ino == before
    assert (folder / "COPY_TO_FOLDER" / "bin" / "a").exists()


def test_special_files_are_refused(tmp_path: Path) -> None:
    folder = execution_folder(tmp_path)
    execution = ExecutionFolder(folder)
    working = finished_run(execution, tmp_path / "run")
    os.mkfifo(working.data / "COPY_TO_FOLDER" / "pipe")
    with pytest.raises(ToolResultInvalid, match="no file"):
        execution.publish(working, 1)
    (working.data / "COPY_TO_FOLDER" / "pipe").unlink()
    (working.data / "METADATA.json").unlink()
    (working.data / "METADATA.json").symlink_to("/etc/hostname")
    with pytest.raises(ToolResultInvalid, match="regular file"):
        execution.publish(working, 1)
    assert published(folder) == (0, b"old")


def test_a_document_that_is_gone_is_named(tmp_path: Path) -> None:
    folder = execution_folder(tmp_path)
    (folder / "INFILE").unlink()
    with pytest.raises(FileMissing):
        ExecutionFolder(folder).copy_in(WorkingFolder(tmp_path / "run"))


def test_a_folder_without_permissions_is_removed(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.getuid() and parent != Path("/") and "pytest" in str(parent):
            parent.chmod(0o755)
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setuid(65534)
            working = WorkingFolder(tmp_path / "run")
            deep = working.data / "deep" / "deeper"
            deep.mkdir(parents=True)
            (deep / "file").touch()
            deep.chmod(0)
            deep.parent.chmod(0)
            working.remove()
            os._exit(0 if not working.root.exists() else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


LINES = st.lists(
    st.sampled_from([
        b"plain text", b'{"type":"LOG","level":"ERROR","log":"bad","error_code":"corrupt_file"}', b"{broken", b"",
        b'{"type":"LOG","log":"fine"}', b"\xff\xfe", b'{"type":"LOG","level":"FATAL","log":"worse"}',
    ]),
    max_size=12,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(lines=LINES, cuts=st.lists(st.integers(0, 400), max_size=8))
def test_output_is_the_same_however_it_is_cut(lines: list[bytes], cuts: list[int]) -> None:
    data = b"\n".join(lines)
    whole, pieces = Output(), Output()
    whole.feed(data)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in itertools.pairwise(places):
        pieces.feed(data[start:end])
    whole.finish()
    pieces.finish()
    errors = [line for line in lines if b"ERROR" in line or b"FATAL" in line]
    assert (whole.error is None) == (not errors)
    assert whole.error == pieces.error and whole.last_text == pieces.last_text
    assert pieces.total_bytes == len(data)


def test_a_flood_is_counted_and_its_end_is_kept() -> None:
    output = Output(run_id="r")
    for _ in range(50):
        output.feed(b"x" * 99_999 + b"\n")
    output.feed(b'{"type":"LOG","level":"ERROR","log":"the end","error_code":"corrupt_file"}\n')
    output.finish()
    assert output.total_bytes > 4 * KEPT_BYTES
    assert output.error is not None and output.error.log == "the end"


def verdict(size: FolderSize = FolderSize(0, 0), said: bytes = b"", **ended: Any) -> tuple[str, str] | None:
    output = Output()
    output.feed(said)
    output.finish()
    outcome = RunEnded(**{"run_id": "r", "exit_code": None, "signal": None, **ended})
    error = failure(outcome, output, RunLimits(), size, 600 * 1024**2)
    return (error.code, error.message) if error else None


GIGABYTE = 1024**3


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        ({"signal": signal.SIGSEGV}, "tool_crashed"),
        ({"signal": signal.SIGSEGV, "max_rss_bytes": 2 * GIGABYTE}, "tool_memory_exceeded"),
        ({"signal": signal.SIGABRT, "max_rss_bytes": 2 * GIGABYTE}, "tool_memory_exceeded"),
        ({"signal": signal.SIGKILL}, "tool_crashed"),
        ({"signal": signal.SIGKILL, "cpu_seconds": 605.0}, "tool_timeout"),
        ({"signal": signal.SIGXCPU}, "tool_timeout"),
        ({"signal": signal.SIGXFSZ}, "tool_output_too_large"),
        ({"signal": signal.SIGKILL, "breach": "wall"}, "tool_timeout"),
        ({"signal": signal.SIGKILL, "breach": "memory"}, "tool_memory_exceeded"),
        ({"signal": signal.SIGKILL, "breach": "output"}, "tool_output_too_large"),
        ({"signal": signal.SIGKILL, "breach": "processes"}, "tool_failed"),
        ({"exit_code": 1, "said": b"Traceback\nMemoryError"}, "tool_memory_exceeded"),
        ({"exit_code": 1, "said": b'{"type":"LOG","level":"ERROR","log":"x","error_code":"made_up"}'}, "tool_failed"),
        ({"exit_code": 1, "said": b'{"type":"LOG","level":"ERROR","log":"x"}'}, "tool_failed"),
        ({"exit_code": 0, "size": FolderSize(GIGABYTE, 5)}, "tool_output_too_large"),
        ({"exit_code": 1, "size": FolderSize(512 * 1024**2, 512 * 1024**2)}, "tool_output_too_large"),
        ({"exit_code": None, "failure": "no process could be started"}, "tool_failed"),
    ],
)
def test_verdicts(ended: dict[str, Any], code: str) -> None:
    found = verdict(**ended)
    assert found is not None and found[0] == code
    assert len(found[1]) > (0 if "said" in ended else 10)


@pytest.mark.parametrize(
    "code",
    ["dependency_error", "backend_unavailable", "runner_unavailable", "cache_unavailable", "tool_stopped", "fenced"],
)
def test_a_tool_cannot_say_that_somebody_else_is_at_fault(code: str) -> None:
    said = b'{"type":"LOG","level":"ERROR","log":"the model does not answer","error_code":"%s"}\n' % code.encode()
    assert verdict(said=said, exit_code=1) == ("tool_failed", "the model does not answer")


def test_success_is_no_failure() -> None:
    assert verdict(exit_code=0, said=b'{"type":"LOG","level":"ERROR","log":"only a line"}') is None


def test_folder_size_counts_files_and_stops_early(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_bytes(b"x" * 100)
    (tmp_path / "link").symlink_to("/etc/services")
    measured = folder_size(str(tmp_path), 10_000)
    assert measured.largest == 100 and 100 <= measured.total < 200
    assert folder_size(str(tmp_path), 50).total == 51
    assert folder_size(str(tmp_path / "nowhere"), 50) == FolderSize(0, 0)
    assert MAX_FILES > 1000


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_descendants_are_found() -> None:
    with subprocess.Popen(["/bin/sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        sleeper = int(shell.stdout.readline())
        assert set(processes.descendants(shell.pid)) == {shell.pid, sleeper}
        os.kill(sleeper, signal.SIGKILL)
    assert processes.children(shell.pid) == []


def settings_from(**values: str) -> RunnerSettings:
    return read_settings(
        RunnerSettings, {"RUNNER_API_KEY": KEY, "EXECUTION_STORAGE_ROOT": "/srv", **values}, prefixes=("RUNNER_",)
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"RUNNER_API_KEY": "short"}, "RUNNER_API_KEY"),
        ({"RUNNER_API_KEY": ""}, "RUNNER_API_KEY"),
        ({"EXECUTION_STORAGE_ROOT": "relative/path"}, "EXECUTION_STORAGE_ROOT"),
        ({"RUNNER_PORT": "many"}, "RUNNER_PORT"),
        ({"RUNNER_CONCURRENCY": "0"}, "RUNNER_CONCURRENCY"),
        ({"RUNNER_CONCURENCY": "2"}, "did you mean RUNNER_CONCURRENCY"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL"),
    ],
)
def test_a_wrong_setting_is_named(values: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        settings_from(**values)


def test_settings_never_show_the_key() -> None:
    assert KEY not in repr(settings_from()) + str(settings_from())


def test_a_zygote_stays_light() -> None:
    code = "import docfleet.runner.engines.zygote, sys; print(' '.join(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"litestar", "uvicorn", "uvloop", "asyncio", "structlog", "yaml", "jsonschema", "pypdfium2", "numpy"}
    assert not heavy & {module.split(".")[0] for module in modules}


def test_the_application_is_built_without_a_warning() -> None:
    assert {route.path for route in create_app(settings_from()).routes} == {
        "/livez",
        "/readyz",
        "/v1/runs/{run_id:str}",
    }
