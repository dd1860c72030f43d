"""The SDK: one run from its folder to its verdict, the command line, names and limits."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, override

import pytest

from docfleet.core.errors import ConfigurationError, PasswordRequired
from docfleet.core.evidence import DocumentEvidence, FieldEvidence, read_evidence
from docfleet.tools import protocol
from docfleet.tools.builtin.passthrough.tool import tool as passthrough
from docfleet.tools.protocol import LogMessage, OutputType
from docfleet.tools.sdk import RunContext, Tool, ToolResult, main, run_tool
from docfleet.tools.sdk.run import parse_size
from docfleet.tools.sdk.words import Page


class Probe(Tool):
    """Does what the test tells it."""

    result: ToolResult | Exception = ToolResult("text", OutputType.TXT)
    seen: dict[str, Any]

    @override
    def run(self, settings: dict[str, Any], context: RunContext) -> ToolResult:
        self.seen = settings
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    config = tmp_path / "config"
    config.mkdir()
    spec = {
        "type": "object",
        "properties": {
            "depth": {"type": "integer", "default": 3},
            "deep": {"type": "object", "properties": {"x": {"default": 1}}},
        },
        "additionalProperties": False,
    }
    (config / "spec.json").write_text(json.dumps(spec))
    restrictions = {"maxFileSize": "1KB", "allowedFileTypes": ["text/plain"]}
    (config / "properties.json").write_text(json.dumps({"functionName": "probe", "restrictions": restrictions}))
    return Probe(config)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    run.mkdir()
    (run / "INFILE").write_text("input")
    (run / "SOURCE").write_text("input")
    metadata = {
        "source_name": "a b.txt",
        "workflow_id": "w",
        "kept": {"by": "us"},
        "tool_metadata": [],
        "total_elapsed_time": 2,
    }
    (run / "METADATA.json").write_text(json.dumps(metadata))
    return run


def _error(captured: str) -> LogMessage:
    messages = [protocol.parse_line(line.encode()) for line in captured.splitlines()]
    errors = [message for message in messages if isinstance(message, LogMessage) and message.error_code]
    assert len(errors) == 1
    return errors[0]


def test_a_run_leaves_its_result_and_its_entry(probe: Probe, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    probe.result = ToolResult({"ключ": ["значение"]}, OutputType.JSON, pages=2, usage={"ocr_pages": 1})
    assert run_tool(probe, {"deep": {}}, folder) == 0
    assert probe.seen == {"depth": 3, "deep": {"x": 1}}
    assert json.loads((folder / "INFILE").read_text("utf-8")) == {"ключ": ["значение"]}
    metadata = json.loads((folder / "METADATA.json").read_text())
    assert metadata["kept"] == {"by": "us"}
    assert metadata["total_elapsed_time"] >= 2
    verdict = protocol.read_verdict(folder, 0)
    assert (verdict.tool_name, verdict.pages, verdict.usage) == ("probe", 2, {"ocr_pages": 1})
    last = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert last["type"] == "RESULT" and "ключ" not in json.dumps(last, ensure_ascii=False)
    assert {path.name for path in folder.iterdir()} == {"INFILE", "SOURCE", "METADATA.json"}


def of_steps(folder: Path, steps: int | None) -> None:
    metadata = json.loads((folder / "METADATA.json").read_bytes())
    (folder / "METADATA.json").write_text(json.dumps(metadata | ({} if steps is None else {"steps": steps})))


@pytest.mark.parametrize(("steps", "kept"), [(None, True), (1, False), (2, True)])
def test_words_are_left_for_tools_that_follow(probe: Probe, folder: Path, steps: int | None, kept: bool) -> None:
    of_steps(folder, steps)
    probe.result = ToolResult("text", OutputType.TXT, words=[Page("some text")])
    assert run_tool(probe, {}, folder) == 0
    assert (folder / "WORDS").exists() is kept
    if kept:
        context = RunContext(folder, protocol.load_metadata(folder))
        assert [word.text for word in context.words[0].words] == ["some", "text"]


def test_damaged_words_are_no_words(probe: Probe, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "WORDS").write_bytes(b"no")
    assert RunContext(folder, protocol.load_metadata(folder)).words == []
    assert "the places of the words are not known" in capfd.readouterr().out


def test_evidence_is_beside_the_result(probe: Probe, folder: Path) -> None:
    evidence = DocumentEvidence(fields={"/a": FieldEvidence(page=1, quote="x", confidence=0.5)})
    probe.result = ToolResult({"a": "x"}, OutputType.JSON, evidence=evidence)
    assert run_tool(probe, {}, folder) == 0
    assert read_evidence((folder / "EVIDENCE.json").read_bytes()) == evidence


def test_a_quote_that_utf_8_cannot_hold_does_not_fail_the_run(probe: Probe, folder: Path) -> None:
    evidence = DocumentEvidence(fields={"/a\ud800": FieldEvidence(page=1, quote="x\ud800")})
    probe.result = ToolResult({"a": "x"}, OutputType.JSON, evidence=evidence)
    assert run_tool(probe, {}, folder) == 0
    assert read_evidence((folder / "EVIDENCE.json").read_bytes()).fields["/a?"].quote == "x?"


@pytest.mark.parametrize(
    ("failure", "code", "words"),
    [
        (PasswordRequired("password required: send it open"), "password_required", "password required: send it open"),
        (RuntimeError("boom"), "tool_failed", "does not know (boom)"),
        (RuntimeError(), "tool_failed", "does not know: its author"),
        (FileNotFoundError(2, "No such file", "/srv/runner/x"), "tool_failed", "(No such file)"),
        (MemoryError(), "tool_memory_exceeded", "TOOL_MEMORY_BYTES"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "tool_memory_exceeded", "TOOL_MEMORY_BYTES"),
        (OSError(errno.ENOSPC, "No space left on device"), "storage_full", "no space"),
        (RecursionError("deep"), "tool_failed", "nested too deeply"),
    ],
)
def test_a_failure_is_one_error_line_and_changes_nothing(
    probe: Probe, folder: Path, capfd: pytest.CaptureFixture[str], failure: Exception, code: str, words: str
) -> None:
    before = (folder / "METADATA.json").read_bytes(), (folder / "INFILE").read_bytes()
    probe.result = failure
    assert run_tool(probe, {}, folder) == 1
    error = _error(capfd.readouterr().out)
    assert error.error_code == code and words in error.log and error.stage == "TOOL_RUN"
    assert ((folder / "METADATA.json").read_bytes(), (folder / "INFILE").read_bytes()) == before


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"", "a.txt", "empty_file"),
        (b"x" * 1025, "a.txt", "file_too_large"),
        (b"%PDF-1.4\n", "a.txt", "unsupported_file_type"),
        (b"\x89PNG\r\n\x1a\n", "a.txt", "unsupported_file_type"),
        (None, "a.txt", "file_missing"),
    ],
)
def test_restrictions_hold_whatever_the_name_says(
    probe: Probe, folder: Path, capfd: pytest.CaptureFixture[str], content: bytes | None, name: str, code: str
) -> None:
    for copy in ("INFILE", "SOURCE"):
        (folder / copy).unlink()
        if content is not None:
            (folder / copy).write_bytes(content)
    assert run_tool(probe, {}, folder) == 1
    assert _error(capfd.readouterr().out).error_code == code


def test_settings_that_do_not_fit_name_the_setting(
    probe: Probe, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_tool(probe, {"depth": "three"}, folder) == 1
    error = _error(capfd.readouterr().out)
    assert error.error_code == "tool_settings_invalid" and "depth" in error.log


def test_output_no_json_can_hold_is_a_failure(probe: Probe, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    probe.result = ToolResult({"x": float("nan")}, OutputType.JSON)
    assert run_tool(probe, {}, folder) == 1
    assert _error(capfd.readouterr().out).error_code == "tool_failed"


def test_a_lone_surrogate_does_not_cost_the_text(probe: Probe, folder: Path) -> None:
    probe.result = ToolResult("before \ud800 after", OutputType.TXT)
    assert run_tool(probe, {}, folder) == 0
    assert (folder / "INFILE").read_text("utf-8") == "before ? after"


@pytest.mark.parametrize("what", ["SPEC", "PROPERTIES", "VARIABLES", "ICON", "icon"])
def test_a_tool_describes_itself(what: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(passthrough, ["--command", what]) == 0
    line = json.loads(capfd.readouterr().out)
    value = line[what.lower()]
    assert isinstance(value, str)
    if what.upper() == "ICON":
        assert value.startswith("<svg")
    else:
        assert isinstance(json.loads(value), dict)


def test_run_without_a_folder_says_which_variable_is_missing(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EXECUTION_DATA_DIR", raising=False)
    assert main(passthrough, ["--command", "RUN"]) == 1
    assert "EXECUTION_DATA_DIR" in _error(capfd.readouterr().out).log


@pytest.mark.parametrize("settings", ["{", "[]", '"x"'])
def test_settings_that_are_no_object_are_refused(
    settings: str, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXECUTION_DATA_DIR", str(folder))
    assert main(passthrough, ["--command", "RUN", "--settings", settings]) == 1
    assert _error(capfd.readouterr().out).error_code == "tool_settings_invalid"


def test_the_command_line_runs_in_its_folder(folder: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "docfleet.tools.builtin.passthrough",
            "--command",
            "RUN",
            "--settings",
            '{"copy": true}',
        ],
        env={"EXECUTION_DATA_DIR": str(folder)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done
    assert json.loads((folder / "INFILE").read_bytes())["size"] == 5
    assert (folder / "COPY_TO_FOLDER" / "a b.txt").read_text() == "input"


@pytest.mark.parametrize(
    ("text", "size"),
    [("200MB", 200 * 1024**2), ("10M", 10 * 1024**2), ("10mb", 10 * 1024**2), ("512", 512), ("1.5 KiB", 1536)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_a_size_nobody_understands_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="200MB"):
        parse_size("large")


def test_the_sdk_is_light_to_import() -> None:
    heavy = ("jsonschema", "PIL", "yaml", "pypdfium2", "puremagic", "numpy", "invoice2data", "email", "lxml")
    code = (
        "import sys, docfleet.tools.sdk, docfleet.tools.registry, docfleet.tools.builtin.passthrough.tool;"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
