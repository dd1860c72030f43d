"""Starts child processes, restarts the ones that die, and leaves none behind.

Each child leads a session of its own, so Ctrl-C in a terminal reaches the supervisor alone, which then stops the
children in their order. The lifeline process does the same when the supervisor is killed.
The supervisor is driven by its owner's loop (``check``); it has no thread.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from docfleet.core.errors import ConfigurationError, DependencyError
from docfleet.core.exit_codes import ExitCode
from docfleet.core.settings import environment, environment_of

CRASH_LIMIT = 5
START_LIMIT = 2
"""The number of deaths after which a child that was never ready is given up."""
CRASH_WINDOW_SECONDS = 60.0
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
LOG_LIMIT_BYTES = 10 * 1024 * 1024
_POLL_SECONDS = 0.05


class ChildFailed(DependencyError):
    """A process of the system does not start, or keeps dying."""

    code = "child_failed"


class Interrupted(Exception):
    """The user requested a stop during a wait."""


@dataclass(frozen=True)
class ChildSpec:
    """How one child is started and stopped.

    ``ready`` is called until it returns true. Children with a lower ``stop_order`` are stopped first, those of one
    order together. ``grace`` is the seconds between SIGTERM and SIGKILL of the whole group. ``dies_with_supervisor``:
    the lifeline sends SIGKILL at once. Otherwise it sends SIGTERM first, because the child has children in other
    groups or a file to close.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready: Callable[[], bool]
    stop_order: int = 0
    grace: float = 10.0
    dies_with_supervisor: bool = True


@dataclass
class _Child:
    spec: ChildSpec
    log: Path
    process: subprocess.Popen[bytes] | None = None
    deaths: deque[float] = field(default_factory=deque)
    restart_at: float | None = None
    was_ready: bool = False


class Lifeline:
    """The process that outlives the supervisor by seconds; ``held_fd`` (the data folder's lock) stays open in it."""

    def __init__(self, held_fd: int | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("lifeline.py"))],
            stdin=subprocess.PIPE,
            env=environment_of("lifeline", environment()),
            bufsize=0,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=() if held_fd is None else (held_fd,),
        )

    @property
    def alive(self) -> bool:
        """False when another process ended it."""
        return self._process.poll() is None

    def add(self, group: int, *, kill: bool) -> None:
        """Register a process group."""
        self._write(f"+ {group} {'kill' if kill else 'term'}\n")

    def remove(self, group: int) -> None:
        """Unregister a group that has ended: its number may be reused."""
        self._write(f"- {group}\n")

    def close(self) -> None:
        """Close the pipe and wait for its end."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()

    def _write(self, line: str) -> None:
        pipe = self._process.stdin
        if pipe is None or pipe.closed:
            return
        try:
            pipe.write(line.encode())
        except BrokenPipeError:
            pass  # another process ended it; `check` starts a new one


class Supervisor:
    """Owns the children of one system. ``report`` gets one line for a person whenever a child dies.

    ``start`` and ``stop`` belong to the main thread; ``kill`` may be called from a signal handler.
    """

    def __init__(self, logs: Path, report: Callable[[str], None], *, held_fd: int | None = None) -> None:
        self._logs = logs
        self._report = report
        self._held_fd = held_fd
        self._children: dict[str, _Child] = {}
        self._lifeline = Lifeline(held_fd)
        self._stopping = False

    def start(self, spec: ChildSpec) -> None:
        """Start a child; its output goes to ``logs/NAME.log``. Raises ``ChildFailed`` when there is no such program."""
        self._logs.mkdir(parents=True, exist_ok=True)
        child = _Child(spec, self._logs / f"{spec.name}.log")
        if child.log.exists() and child.log.stat().st_size > LOG_LIMIT_BYTES:
            child.log.replace(child.log.with_suffix(".log.1"))
        self._children[spec.name] = child
        self._spawn(child)

    def pids(self) -> dict[str, int]:
        """The running children, by name."""
        return {name: child.process.pid for name, child in self._children.items() if _running(child) and child.process}

    def check(self) -> None:
        """Notice deaths and restart what is due. Raises ``ChildFailed`` for a child that keeps dying."""
        if self._stopping:
            return
        if not self._lifeline.alive:
            self._lifeline.close()
            self._lifeline = Lifeline(self._held_fd)
            for child in self._children.values():
                if child.process and _running(child):
                    self._lifeline.add(child.process.pid, kill=child.spec.dies_with_supervisor)
        now = time.monotonic()
        for child in self._children.values():
            if child.process is not None and child.process.poll() is not None:
                self._handle_exit(child, now)
            elif child.restart_at is not None and now >= child.restart_at:
                child.restart_at = None
                self._spawn(child)

    def wait_ready(self, names: list[str], seconds: float, interrupted: Callable[[], bool]) -> None:
        """Return when every named child is ready. Raises ``ChildFailed`` with the log, or ``Interrupted``."""
        deadline = time.monotonic() + seconds
        waiting = [self._children[name] for name in names]
        while waiting:
            if interrupted():
                raise Interrupted
            self.check()
            for child in waiting:
                child.was_ready = _running(child) and child.spec.ready()
            waiting = [child for child in waiting if not child.was_ready]
            if waiting and time.monotonic() > deadline:
                slow = ", ".join(child.spec.name for child in waiting)
                raise ChildFailed(f"not ready after {seconds:.0f} s: {slow}\n{_log_tail(waiting[0])}")
            if waiting:
                time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """SIGTERM in stop order, SIGKILL of the group after each child's grace. Leaves nothing running."""
        self._stopping = True
        for order in sorted({child.spec.stop_order for child in self._children.values()}):
            group = [child for child in self._children.values() if child.spec.stop_order == order and child.process]
            for child in group:
                if child.process and _running(child):
                    child.process.send_signal(signal.SIGTERM)
            started = time.monotonic()
            for child in group:
                self._await_end(child, started + child.spec.grace)
        self._lifeline.close()

    def kill(self) -> None:
        """SIGKILL every group now."""
        self._stopping = True
        for child in self._children.values():
            if child.process and child.process.returncode is None:
                _kill_group(child.process.pid)

    def _spawn(self, child: _Child) -> None:
        spec = child.spec
        with child.log.open("ab") as log:
            try:
                child.process = subprocess.Popen(
                    spec.command,
                    env=dict(spec.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as error:
                raise ChildFailed(f"{spec.name} cannot be started: {error}") from error
        self._lifeline.add(child.process.pid, kill=spec.dies_with_supervisor)

    def _handle_exit(self, child: _Child, now: float) -> None:
        process = child.process
        if process is None:
            return
        _kill_group(process.pid)  # what the leader left behind, for example pool children
        self._lifeline.remove(process.pid)
        child.process = None
        child.deaths.append(now)
        while child.deaths[0] < now - CRASH_WINDOW_SECONDS:
            child.deaths.popleft()
        cause = describe_exit(process.returncode)
        if process.returncode == ExitCode.WRONG_CONFIGURATION and not child.was_ready:
            raise ConfigurationError(f"{child.spec.name} refused its settings\n{_log_tail(child)}")
        if not child.was_ready and len(child.deaths) >= START_LIMIT:
            raise ChildFailed(f"{child.spec.name} does not start ({cause})\n{_log_tail(child)}")
        if len(child.deaths) >= CRASH_LIMIT:
            raise ChildFailed(
                f"{child.spec.name} died {CRASH_LIMIT} times in {CRASH_WINDOW_SECONDS:.0f} s (last: {cause})\n"
                f"{_log_tail(child)}"
            )
        pause = BACKOFF_SECONDS[min(len(child.deaths), len(BACKOFF_SECONDS)) - 1]
        child.restart_at = now + pause
        self._report(f"{child.spec.name} died ({cause}); starting it again in {pause:g} s; its log: {child.log}")

    def _await_end(self, child: _Child, deadline: float) -> None:
        process = child.process
        if process is None:
            return
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass
        _kill_group(process.pid)
        process.wait()
        self._lifeline.remove(process.pid)
        child.process = None


def describe_exit(code: int) -> str:
    """``exit code 3``, or the signal's name."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _running(child: _Child) -> bool:
    return child.process is not None and child.process.poll() is None


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # no process is left in it


def _log_tail(child: _Child, lines: int = 15, limit: int = 16_384) -> str:
    try:
        with child.log.open("rb") as log:
            log.seek(max(0, child.log.stat().st_size - limit))
            text = log.read().decode(errors="replace")
    except OSError:
        text = ""
    tail = "\n".join(f"    {line}" for line in text.splitlines()[-lines:]) or "    (it wrote nothing)"
    return f"  the last lines of {child.log}:\n{tail}"
