"""What is printed on terminals of any encoding and width, and to readers that leave."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from rich.cells import cell_len

from docfleet.cli.show import terminal
from docfleet.cli.show.summary import RunResult, as_json, show
from docfleet.core.management.executions import ExecutionProgress, ExecutionState, ExecutionSummary, FileOfExecution
from docfleet.core.status import ExecutionStatus

NAME = "Größe 日本 📄.txt"


def _result() -> RunResult:
    info = ExecutionSummary(
        id="51fee59c-9691-484c-aae1-65a3f9911e59", workflow_id="w", status=ExecutionStatus.COMPLETED, total_files=2
    )
    state = ExecutionState(
        execution=info,
        counts={ExecutionStatus.COMPLETED: 1, ExecutionStatus.ERROR: 1},
        skipped={"broken_link": 7},
        skipped_examples={"broken_link": [NAME]},
        progress=ExecutionProgress(total=2, done=2, open=0, listing_complete=True, percent=100.0),
    )
    files = [
        FileOfExecution(file_execution_id="1", file_number=1, name=NAME, path=NAME, status=ExecutionStatus.COMPLETED),
        FileOfExecution(
            file_execution_id="2", file_number=2, name=NAME, path=NAME, status=ExecutionStatus.ERROR, error="kaputt … ü"
        ),
    ]
    rows = [{"file_path": NAME, "data": {"text": NAME * 20}, "amount": 1}]
    return RunResult(
        "Tägliche Prüfung", state, files, 1.0, {"connector": "sqlite", "path": NAME, "table": "t"}, rows, ""
    )


def _shown(monkeypatch: pytest.MonkeyPatch, encoding: str, columns: int, **environment: str) -> str:
    for name, value in {"COLUMNS": str(columns), **environment}.items():
        monkeypatch.setenv(name, value)
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    terminal.prepare()
    show(terminal.console(), _result())
    sys.stdout.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("columns", [1, 20, 30, 40, 80])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252", "cp437", "shift_jis", "koi8-r"])
def test_a_summary_is_shown_in_every_encoding_and_width(
    monkeypatch: pytest.MonkeyPatch, encoding: str, columns: int
) -> None:
    shown = _shown(monkeypatch, encoding, columns)
    words = "".join(shown.split())
    assert "COMPLETED" in words and "51fee59c-9691-484c-aae1-65a3f9911e59" in words and "1failed" in words
    if encoding == "utf-8":
        assert "日本" in words and "Prüfung" in words
        lines = [line for line in shown.splitlines() if not line.startswith("Rows:")]  # a path stays in one piece
        assert max(map(cell_len, lines)) <= max(columns, terminal.MIN_WIDTH)
    if encoding == "ascii":
        assert "Pr\\u00fcfung" in words


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}])
def test_plain_terminals_get_no_escapes(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    assert "\x1b" not in _shown(monkeypatch, "utf-8", 40, **environment)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp437"])
def test_json_is_the_same_in_every_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    for text in (terminal.as_json([NAME]), as_json(_result())):
        assert NAME in str(json.loads(text.encode(encoding)))


def _run(*arguments: str, reader: bool = True, **environment: str) -> tuple[int, bytes, bytes]:
    command = [sys.executable, "-P", "-m", "docfleet.cli.main", *arguments]
    options: dict[str, Any] = {"env": {**os.environ, **environment}, "stderr": subprocess.PIPE}
    if reader:
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=60, check=False, **options)
        return done.returncode, done.stdout, done.stderr
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, timeout=60, check=False, **options)
    os.close(write)
    return done.returncode, b"", done.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("version",), ("run", "nowhere.yaml", "--json")])
def test_a_reader_may_leave(arguments: tuple[str, ...]) -> None:
    _, _, errors = _run(*arguments, reader=False)
    assert b"Traceback" not in errors and b"BrokenPipe" not in errors


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_a_refusal_is_no_traceback(encoding: str) -> None:
    code, output, errors = _run("run", f"{NAME}.yaml", "--json", PYTHONIOENCODING=encoding)
    assert code == 1 and b"Traceback" not in errors and b"No such file" in errors
    assert NAME in json.loads(output)["error"]


def test_a_console_goes_on_without_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        console = terminal.console()
        for _ in range(300):
            console.print("x" * 70)
        terminal.finish()
