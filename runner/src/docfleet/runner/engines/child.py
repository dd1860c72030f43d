"""The first steps of a forked child: out of the zygote's group, away from its descriptors, into its limits."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from docfleet.core.prctl import die_with_parent
from docfleet.core.settings import environment
from docfleet.runner import limits, processes
from docfleet.runner.engines.wire import StartRun
from docfleet.runner.folders import WorkingFolder
from docfleet.tools import protocol
from docfleet.tools.protocol import Command, LogMessage, ToolLogLevel

if TYPE_CHECKING:
    from docfleet.tools.sdk import Tool

_CANNOT_EXECUTE = 126
_SOFTWARE_ERROR = 70
_RESET = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP)


def run_child(order: StartRun, tool: Tool | None, zygote: int, output: int, null: int) -> NoReturn:
    """Become the run; never returns. ``output`` and ``null`` are descriptors for 1 and 2, and for 0."""
    code = _SOFTWARE_ERROR
    try:
        working = WorkingFolder(Path(order.root))
        _isolate(order, zygote, output, null)
        settings = working.take_settings()
        if tool is None:
            _execute(order, settings, working)
        code = _run_tool(tool, settings, working, ToolLogLevel(order.log_level))
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001  the child must never return into the zygote
        with contextlib.suppress(BaseException):
            traceback.print_exc()
    finally:
        os._exit(code)


def _isolate(order: StartRun, zygote: int, output: int, null: int) -> None:
    die_with_parent(zygote, signal.SIGKILL)
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in _RESET:
        signal.signal(number, signal.SIG_DFL)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, 1 << 16)  # no descriptor of the zygote stays open; preload opens none
    os.umask(0o077)
    limits.apply(order.limits)
    processes.refuse_new_privileges()


def _folder_variables(working: WorkingFolder) -> dict[str, str]:
    home = str(working.root)
    return {"HOME": home, "TMPDIR": home, protocol.EXECUTION_DATA_DIR: str(working.data)}


def _run_tool(tool: Tool, settings: bytes, working: WorkingFolder, level: ToolLogLevel) -> int:
    from docfleet.tools.sdk import run_tool

    faulthandler.enable()  # a crash leaves the Python stack in the output
    os.environ.update(_folder_variables(working))
    tempfile.tempdir = None  # tempfile caches the folder per process, and the zygote's cache is inherited
    os.chdir(working.data)
    decoded: dict[str, Any] = json.loads(settings)
    try:
        return run_tool(tool, decoded, working.data, level)
    except SystemExit as leaving:
        if leaving.code is None:
            return 0
        return leaving.code if isinstance(leaving.code, int) else 1


def _execute(order: StartRun, settings: bytes, working: WorkingFolder) -> NoReturn:
    arguments = ["--command", Command.RUN.value, "--settings", settings.decode(), "--log-level", order.log_level]
    os.chdir(working.data)
    try:
        os.execve(order.command[0], [*order.command, *arguments], {**environment(), **_folder_variables(working)})
    except OSError as error:
        name = Path(order.command[0]).name
        message = f"the program of the tool, {name}, cannot be started ({error.strerror}): check it on the runner"
        line = protocol.encode_line(LogMessage(log=message, level=ToolLogLevel.ERROR, error_code="tool_failed"))
        os.write(1, line)
        os._exit(_CANNOT_EXECUTE)
