"""The command line of a tool, and one run of it."""

from __future__ import annotations

import argparse
import errno
import json
import re
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import msgspec

from docfleet.core.errors import (
    ConfigurationError,
    DocfleetError,
    EmptyFile,
    FileMissing,
    FileTooLarge,
    StorageFull,
    ToolFailed,
    ToolMemoryExceeded,
    ToolSettingsInvalid,
    UnsupportedFileType,
)
from docfleet.core.machine import machine_trouble
from docfleet.core.settings import environment
from docfleet.core.storage import EVIDENCE, INFILE, METADATA, WORDS
from docfleet.tools import protocol
from docfleet.tools.protocol import (
    Command,
    IconMessage,
    LogMessage,
    OutputType,
    PropertiesMessage,
    ResultMessage,
    SpecMessage,
    ToolLogLevel,
    VariablesMessage,
)
from docfleet.tools.sdk.context import RunContext, emit
from docfleet.tools.sdk.tool import Tool, ToolResult

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)I?B?\s*", re.IGNORECASE)
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def parse_size(text: str) -> int:
    """``"200MB"``, ``"10M"``, ``"10mb"`` or ``"512"`` in bytes. Raises ``ConfigurationError``."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"maxFileSize {text!r} is not a size: write it like 200MB")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def _check_restrictions(tool: Tool, context: RunContext) -> None:
    restrictions = tool.config.properties.get("restrictions", {})
    if not context.input_path.exists():
        raise FileMissing(f"the document is not in the tool's folder: {INFILE} is missing")
    size = context.input_path.stat().st_size
    if context.is_first_step and size == 0:
        raise EmptyFile("the file is empty (0 bytes): send the document again")
    limit = str(restrictions.get("maxFileSize", "")).strip()
    if limit and size > parse_size(limit):
        raise FileTooLarge(f"the file has {size} bytes, the tool {tool.name} takes at most {limit}")
    allowed = restrictions.get("allowedFileTypes", ["*"])
    if "*" not in allowed and context.input_mime not in allowed:
        raise UnsupportedFileType(f"files of type {context.input_mime} are not supported by the tool {tool.name}")


def _replace(path: Path, content: bytes) -> None:
    # No fsync: the folder is private to this run, and a machine that stops loses the run with it.
    temporary = path.with_name(path.name + ".partial")
    temporary.write_bytes(content)
    temporary.replace(path)


def _encode(result: ToolResult) -> bytes:
    if result.output_type is OutputType.TXT:
        if not isinstance(result.output, str):
            raise ToolFailed("the tool declared text as its output but returned something else")
        # A lone surrogate (from a broken PDF) has no UTF-8 form; the rest of the text is worth keeping.
        return result.output.encode("utf-8", "replace")
    return json.dumps(result.output, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def _write_result(tool: Tool, context: RunContext, result: ToolResult, started: float) -> None:
    _replace(context.input_path, _encode(result))
    if result.words is not None and not context.is_last_step:
        from docfleet.tools.sdk import words

        _replace(context.folder / WORDS, words.pack(result.words))
    if result.evidence is not None:
        evidence = json.dumps(msgspec.to_builtins(result.evidence), ensure_ascii=False)
        _replace(context.folder / EVIDENCE, evidence.encode("utf-8", "replace"))
    elapsed = round(time.monotonic() - started, 6)
    path = context.folder / METADATA
    # The dict, not RunMetadata: keys this version does not know have to survive.
    metadata: dict[str, Any] = json.loads(path.read_bytes())
    entry: dict[str, Any] = {
        "tool_name": tool.name,
        "elapsed_time": elapsed,
        "cpu_seconds": _cpu_seconds(),
        "output_type": result.output_type.value,
    }
    if result.pages:
        entry["pages"] = result.pages
    if result.usage:
        entry["usage"] = result.usage
    metadata["tool_metadata"] = [*metadata.get("tool_metadata", []), entry]
    metadata["total_elapsed_time"] = round(float(metadata.get("total_elapsed_time") or 0) + elapsed, 6)
    _replace(path, json.dumps(metadata, ensure_ascii=False).encode("utf-8", "surrogateescape"))
    emit(
        ResultMessage(
            result={
                "workflow_id": context.metadata.workflow_id,
                "elapsed_time": elapsed,
                "output_type": result.output_type.value,
            }
        )
    )


def _cpu_seconds() -> float:
    """Of this process, which does nothing but this run, and of what it started."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round(time.process_time() + children.ru_utime + children.ru_stime, 4)


def _failure(tool: Tool, error: Exception) -> DocfleetError:
    if isinstance(error, DocfleetError):
        return error
    traceback.print_exception(error, file=sys.stderr)
    out_of_memory = isinstance(error, OSError) and error.errno == errno.ENOMEM  # here it is the limit of the run
    if isinstance(error, MemoryError) or out_of_memory:
        return ToolMemoryExceeded(
            "the tool ran out of memory on this document: split the document, or raise TOOL_MEMORY_BYTES"
        )
    if isinstance(error, RecursionError):
        return ToolFailed("the document is nested too deeply for the tool: simplify it")
    trouble = machine_trouble(error) if isinstance(error, OSError) else None
    if isinstance(trouble, StorageFull):
        return trouble
    # The class and the place are for the author of the tool; they are in the log of the runner.
    cause = error.strerror if isinstance(error, OSError) else str(error)
    return ToolFailed(
        f"the tool {tool.name} failed on this document for a reason it does not know"
        f"{f' ({cause})' if cause else ''}: its author finds the place in the log of the runner (tool.failed)"
    )


def run_tool(tool: Tool, settings: dict[str, Any], folder: Path, log_level: ToolLogLevel = ToolLogLevel.INFO) -> int:
    """RUN in this process: the exit code is 0 when the result is on disk, 1 after an ERROR line was printed."""
    started = time.monotonic()
    try:
        context = RunContext(folder, protocol.load_metadata(folder), log_level)
        _check_restrictions(tool, context)
        from docfleet.tools.schema import check_settings

        result = tool.run(check_settings(tool.name, tool.config.spec, settings), context)
        _write_result(tool, context, result, started)
    except Exception as error:  # noqa: BLE001 - the boundary of a tool: whatever happened becomes its verdict
        failure = _failure(tool, error)
        emit(LogMessage(log=failure.message, level=ToolLogLevel.ERROR, error_code=failure.code))
        return 1
    return 0


def _describe(tool: Tool, command: Command) -> None:
    config = tool.config
    if command is Command.SPEC:
        emit(SpecMessage(spec=json.dumps(config.spec)))
    elif command is Command.PROPERTIES:
        emit(PropertiesMessage(properties=json.dumps(config.properties)))
    elif command is Command.VARIABLES:
        emit(VariablesMessage(variables=json.dumps(config.variables)))
    else:
        emit(IconMessage(icon=config.icon))


def _settings(text: str) -> dict[str, Any]:
    try:
        settings = json.loads(text)
    except ValueError as error:
        raise ToolSettingsInvalid(f"--settings is not JSON: {error}") from error
    if not isinstance(settings, dict):
        raise ToolSettingsInvalid("--settings has to be a JSON object")
    return settings


def main(tool: Tool, argv: list[str] | None = None) -> int:
    """The command line of ``tool``; returns the exit code. RUN works in the folder ``EXECUTION_DATA_DIR`` names."""
    parser = argparse.ArgumentParser(description=str(tool.config.properties.get("description", tool.name)))
    parser.add_argument("--command", required=True, type=str.upper, choices=[command.value for command in Command])
    parser.add_argument("--settings", default="{}", help="JSON object; see --command SPEC")
    parser.add_argument("--log-level", default="ERROR", type=str.upper, choices=[level.value for level in ToolLogLevel])
    arguments = parser.parse_args(argv)
    command = Command(arguments.command)
    if command is not Command.RUN:
        _describe(tool, command)
        return 0
    try:
        folder = environment().get(protocol.EXECUTION_DATA_DIR)
        if not folder:
            raise ConfigurationError(f"{protocol.EXECUTION_DATA_DIR} is not set: it names the folder of the run")
        settings = _settings(arguments.settings)
    except DocfleetError as error:
        emit(LogMessage(log=error.message, level=ToolLogLevel.ERROR, error_code=error.code))
        return 1
    return run_tool(tool, settings, Path(folder), ToolLogLevel(arguments.log_level))
