"""The reason why a run failed: a message for people and one code."""

from __future__ import annotations

import os
import signal as signals
from pathlib import Path

from docfleet.core.error_codes import error_from_code
from docfleet.core.errors import (
    ConfigurationError,
    DocfleetError,
    FileError,
    InvalidInput,
    MachineTrouble,
    StorageFull,
    ToolCrashed,
    ToolError,
    ToolFailed,
    ToolKilled,
    ToolMemoryExceeded,
    ToolOutputTooLarge,
    ToolStopped,
    ToolTimeout,
)
from docfleet.core.machine import machine_trouble
from docfleet.core.runs import RunLimits
from docfleet.runner.engines.wire import RunEnded
from docfleet.runner.limits import FolderSize
from docfleet.runner.logs import Output

_NEAR_LIMIT = 0.85
"""A process this close to its memory limit that dies of a failed allocation ran out of memory."""

_TOOL_ERRORS = (FileError, ToolError, ConfigurationError, InvalidInput)

_OUTSIDE_SIGNALS = (signals.SIGKILL, signals.SIGTERM, signals.SIGINT, signals.SIGHUP)
"""What the kernel (out of memory) or an administrator sends. No document makes a tool end so."""

_CRASHES: dict[int, str] = {
    signals.SIGSEGV: "it used memory it does not have",
    signals.SIGBUS: "it used memory it does not have",
    signals.SIGABRT: "it found itself broken and gave up",
    signals.SIGTRAP: "it found itself broken and gave up",
    signals.SIGILL: "it came to an instruction that this processor does not have",
    signals.SIGFPE: "it made an impossible calculation",
    signals.SIGSYS: "it called the system in a way that is forbidden",
}

_ALLOCATION_SIGNALS = (signals.SIGSEGV, signals.SIGABRT, signals.SIGBUS, signals.SIGTRAP)


def failure(
    ended: RunEnded, output: Output, limits: RunLimits, size: FolderSize, allowed_bytes: int, free_bytes: int
) -> DocfleetError | None:
    """The cause of a run that did not end with exit code 0 inside its limits, else None.

    ``size`` is what its folder holds now, ``allowed_bytes`` what it may hold in all, ``free_bytes`` what the disk has
    left for it.
    """
    if ended.error_number is not None:
        error = OSError(ended.error_number, os.strerror(ended.error_number))
        trouble = machine_trouble(error, forking=True)
        return (
            ToolFailed(f"no process could be started: {error.strerror}") if trouble is None else on_the_runner(trouble)
        )
    if ended.breach is not None:
        return _breach(ended, output, limits)
    if size.total > allowed_bytes or ended.signal == signals.SIGXFSZ:
        return _output(limits)
    if ended.signal is not None:
        return _signal(ended, ended.signal, limits)
    return _exit(ended, output, limits, size, free_bytes) if ended.exit_code else None


def on_the_runner(trouble: MachineTrouble) -> MachineTrouble:
    """The same, said to somebody on another machine."""
    return type(trouble)(f"on the runner, {trouble.message}")


def _breach(ended: RunEnded, output: Output, limits: RunLimits) -> DocfleetError:
    match ended.breach:
        case "wall":
            total = f" of {output.pages_total}" if output.pages_total else ""
            after = f", after {output.pages_done}{total} pages" if output.pages_done else ""
            return ToolTimeout(
                f"the tool ran longer than {limits.wall_seconds:g} s and was ended{after}: "
                "split the document, or raise TOOL_TIMEOUT_SECONDS"
            )
        case "memory":
            return _memory(limits)
        case "processes":
            return ToolFailed(
                f"the tool started more than {limits.processes} processes and was ended: raise TOOL_PROCESSES if it "
                "needs them"
            )
        case _:
            return _output(limits)


def _signal(ended: RunEnded, number: int, limits: RunLimits) -> DocfleetError:
    used_up = ended.cpu_seconds >= limits.cpu_seconds
    if number == signals.SIGXCPU or (number == signals.SIGKILL and used_up):
        return ToolTimeout(
            f"the tool used more than {limits.cpu_seconds} s of CPU time and was ended: "
            "split the document, or raise TOOL_CPU_SECONDS"
        )
    if number in _ALLOCATION_SIGNALS and _near_memory_limit(ended, limits):
        return _memory(limits)
    if number in _OUTSIDE_SIGNALS:
        return ToolKilled(
            f"the tool's process was killed from outside (signal {number}), when it had used "
            f"{_size(ended.max_rss_bytes)} of memory: if the machine runs out of memory, give it more, or lower "
            "RUNNER_CONCURRENCY"
        )
    return ToolCrashed(
        f"the tool crashed on this document: {_CRASHES.get(number, 'it was ended by the system')} (signal {number}); "
        "the document is probably damaged: open it in its program, save it again and send the new copy"
    )


def _exit(ended: RunEnded, output: Output, limits: RunLimits, size: FolderSize, free_bytes: int) -> DocfleetError:
    line = output.error
    if line is not None and line.error_code not in (None, ToolFailed.code):
        error = error_from_code(line.error_code or "", line.log)
        if isinstance(error, StorageFull) and free_bytes < limits.file_size_bytes:
            return on_the_runner(error)  # that is true: the tool could not write what it is allowed to
        # A tool may report errors of its document or of itself. Workers would act on a code of the fleet (the runner is
        # unavailable, the run was stopped, the lease is lost): they would retry the file forever, and others would
        # wait.
        return error if isinstance(error, _TOOL_ERRORS) and not isinstance(error, ToolStopped) else ToolFailed(line.log)
    if size.largest >= limits.file_size_bytes:  # a program that ignores SIGXFSZ only gets EFBIG
        return _output(limits)
    if line is not None:
        return ToolFailed(line.log)
    if output.last_text.startswith("MemoryError") or _near_memory_limit(ended, limits):
        return _memory(limits)
    detail = f": {output.last_text[:500]}" if output.last_text else ""
    return ToolFailed(f"the tool failed with exit code {ended.exit_code}{detail}")


def _near_memory_limit(ended: RunEnded, limits: RunLimits) -> bool:
    return ended.max_rss_bytes >= limits.memory_bytes * _NEAR_LIMIT


def _memory(limits: RunLimits) -> DocfleetError:
    return ToolMemoryExceeded(
        f"the tool needed more than {_size(limits.memory_bytes)} of memory and was ended: "
        "split the document, or raise TOOL_MEMORY_BYTES"
    )


def _output(limits: RunLimits) -> DocfleetError:
    return ToolOutputTooLarge(
        f"the tool wrote more than {_size(limits.file_size_bytes)} and was ended: "
        "split the document, or raise TOOL_FILE_SIZE_BYTES"
    )


def check_result(infile: Path, limits: RunLimits) -> None:
    """Raise ``ToolOutputTooLarge`` for a result that is too large to be read; whoever reads it holds all of it."""
    try:
        size = infile.lstat().st_size
    except FileNotFoundError:
        return  # the verdict on a result that is missing is another one
    if size > limits.result_bytes:
        raise ToolOutputTooLarge(
            f"the tool's result has {_size(size)}, the limit is {_size(limits.result_bytes)}: "
            "split the document, or raise TOOL_RESULT_BYTES"
        )


def _size(count: int) -> str:
    return f"{count / 1024**2:,.0f} MB" if count >= 1024**2 else f"{count:,} bytes"
