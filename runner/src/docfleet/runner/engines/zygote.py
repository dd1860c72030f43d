"""The warm parent of tool runs: ``python -m docfleet.runner.engines.zygote FD [module:attribute]``.

It imports one Python tool (or none: then it executes programs), sends ``Ready`` on the socket FD and forks a child
for each ``StartRun``. It is single-threaded, because a fork of a process with threads is unsafe. It watches the
limits of its children, ends with its runner (end of the socket, or a signal), and kills all its runs then.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import select
import signal
import socket
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from docfleet.core.errors import DocfleetError
from docfleet.core.prctl import die_with_parent
from docfleet.core.storage import INFILE, METADATA
from docfleet.runner import limits, processes
from docfleet.runner.engines import wire
from docfleet.runner.engines.child import run_child
from docfleet.runner.engines.wire import Breach, KillRun, Ready, RunEnded, StartRun, Unusable
from docfleet.tools.protocol import load_metadata

if TYPE_CHECKING:
    from docfleet.tools.sdk import Tool

_MAX_DESCRIPTORS = 32
_ENDING = frozenset((signal.SIGTERM, signal.SIGINT, signal.SIGHUP))


class _RunnerGone(Exception):
    """The runner has ended, or ends this zygote."""


@dataclass(slots=True)
class _Running:
    run_id: str
    watch: limits.Watch
    breach: Breach | None = None


class Zygote:
    """Forks, watches and reaps. ``tool`` is None for a zygote that executes programs."""

    def __init__(self, control: socket.socket, tool: Tool | None) -> None:
        self._control = control
        self._tool = tool
        self._running: dict[int, _Running] = {}
        self._received = b""
        self._descriptors: deque[int] = deque()
        self._null = os.open(os.devnull, os.O_RDONLY)
        self._wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # Signals are only read from here: one that interrupts could interrupt the end of the runs as well.
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, *_ENDING):
            signal.signal(number, lambda *_: None)

    def serve(self) -> None:
        """Work until the runner is gone."""
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._wake_read, select.POLLIN)
        try:
            self._send(Ready(threads=_threads()))
            while True:
                for descriptor, _ in poller.poll(self._patience_ms()):
                    if descriptor == self._wake_read:
                        self._receive_signals()
                    else:
                        self._receive()
                self._reap()
                self._watch()
        except (_RunnerGone, BrokenPipeError, ConnectionResetError):
            pass
        finally:
            self._end_all()

    def _patience_ms(self) -> float | None:
        if not self._running:
            return None
        soonest = min(running.watch.next_look for running in self._running.values())
        return max(0.0, (soonest - time.monotonic()) * 1000 + 1)

    def _receive_signals(self) -> None:
        if not _ENDING.isdisjoint(os.read(self._wake_read, 4096)):
            raise _RunnerGone

    def _receive(self) -> None:
        data, descriptors, _, _ = socket.recv_fds(self._control, wire.CONTROL_BYTES, _MAX_DESCRIPTORS)
        if not data:
            raise _RunnerGone
        self._descriptors.extend(descriptors)
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            order = wire.order_decoder.decode(line)
            if isinstance(order, StartRun):
                self._start(order, self._descriptors.popleft())
            else:
                self._kill(order)

    def _start(self, order: StartRun, output: int) -> None:
        own = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(output)
            self._send(RunEnded(run_id=order.run_id, exit_code=None, signal=None, error_number=error.errno))
            return
        if pid == 0:
            run_child(order, self._tool, own, output, self._null)
        os.close(output)
        watch = limits.Watch(pid, order.root, order.limits, order.input_bytes, time.monotonic())
        self._running[pid] = _Running(order.run_id, watch)

    def _kill(self, order: KillRun) -> None:
        for pid, running in self._running.items():
            if running.run_id == order.run_id:
                self._kill_run(pid, running, order.breach)

    def _kill_run(self, pid: int, running: _Running, breach: Breach | None) -> None:
        running.breach = running.breach or breach
        running.watch.next_look = time.monotonic() + limits.WATCH_SECONDS
        processes.kill_group(pid)  # not reaped yet, so the process id is still its own
        # Between the fork and its setsid the child is not yet a group of its own.
        os.kill(pid, signal.SIGKILL)

    def _watch(self) -> None:
        now = time.monotonic()
        for pid, running in self._running.items():
            if running.watch.next_look <= now:
                breach = running.breach or running.watch.look(now)
                if breach is not None:
                    self._kill_run(pid, running, breach)

    def _reap(self) -> None:
        while True:
            try:
                # Only wait here and reap later: a process id is not reused before it is reaped.
                exited = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if exited is None:
                return
            if exited.si_pid in self._running:
                self._end(exited.si_pid)
            else:
                os.waitpid(exited.si_pid, 0)

    def _end(self, pid: int) -> None:
        processes.kill_group(pid)
        _, status, usage = os.wait4(pid, 0)
        running = self._running.pop(pid)
        strays = processes.kill_strays(self._running)
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        self._send(
            RunEnded(
                run_id=running.run_id,
                exit_code=None if killed else os.WEXITSTATUS(status),
                signal=killed,
                breach=running.breach,
                cpu_seconds=round(usage.ru_utime + usage.ru_stime, 6),
                max_rss_bytes=max(usage.ru_maxrss * 1024, running.watch.peak_memory_bytes),
                strays=strays,
            )
        )

    def _end_all(self) -> None:
        for pid in self._running:
            processes.kill_group(pid)
        processes.kill_strays(())

    def _send(self, report: wire.Report) -> None:
        self._control.sendall(wire.encode(report))


def _threads() -> int:
    return len(list(Path("/proc/self/task").iterdir())) if sys.platform == "linux" else 1


def main() -> int:
    """Start from the command line; ends with 0, or 1 when the tool cannot be imported."""
    runner = os.getppid()
    die_with_parent(runner, signal.SIGTERM)
    processes.adopt_orphans()
    control = socket.socket(fileno=int(sys.argv[1]))
    tool: Tool | None = None
    try:
        if len(sys.argv) > 2:
            from docfleet.tools.registry import load_tool

            tool = load_tool(sys.argv[2])
            tool.preload()
            _warm(tool)
    except Exception as error:  # noqa: BLE001  an import may raise anything; the runner gets the error
        message = error.message if isinstance(error, DocfleetError) else f"{type(error).__name__}: {error}"
        control.sendall(wire.encode(Unusable(error=message)))
        return 1
    gc.collect()
    gc.freeze()
    Zygote(control, tool).serve()
    return 0


def _warm(tool: Tool) -> None:
    # Import and set up here what every run would do lazily: it halves the page faults of a run.
    from docfleet.tools import schema
    from docfleet.tools.protocol import RunMetadata, ToolLogLevel
    from docfleet.tools.sdk import RunContext

    with tempfile.TemporaryDirectory() as folder:
        infile = Path(folder) / INFILE
        infile.write_bytes(b"{}")
        (Path(folder) / METADATA).write_bytes(msgspec.json.encode(RunMetadata(source_name="a.json")))
        context = RunContext(Path(folder), load_metadata(Path(folder)), ToolLogLevel.INFO)
        _ = context.input_mime
        context.copy_source()
        context.log("")  # standard output is the null device here
        with infile.open("rb") as stream:
            hashlib.file_digest(stream, "sha256")
    _ = tool.config.properties
    with contextlib.suppress(DocfleetError):  # a tool may require a setting
        schema.check_settings("", tool.config.spec, {})


if __name__ == "__main__":
    sys.exit(main())
