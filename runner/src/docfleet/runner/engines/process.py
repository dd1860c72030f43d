"""Engine ``process``: one warm zygote per Python tool, one for programs; each run is a forked process group."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from docfleet.core.errors import ConfigurationError, RunnerUnavailable, ToolCrashed, ToolStopped
from docfleet.core.runs import RunLimits
from docfleet.core.settings import environment
from docfleet.runner import processes
from docfleet.runner.engines import wire
from docfleet.runner.engines.wire import KillRun, Ready, RunEnded, StartRun, Unusable
from docfleet.runner.folders import WorkingFolder
from docfleet.runner.logs import Output, log
from docfleet.tools.registry import ToolDescriptor

PRELOAD_SECONDS = 120.0
"""How long a tool's imports may take."""

OVERDUE_SECONDS = 20.0
"""How long after its wall clock limit a run may be unreported before its zygote counts as hung."""

_READ_BYTES = 64 * 1024
_PROGRAMS = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One run, ready to start."""

    run_id: str
    descriptor: ToolDescriptor
    working: WorkingFolder
    limits: RunLimits
    log_level: str = "INFO"
    alone: bool = False
    """Use a zygote of its own, because the shared one died during this run or a concurrent one. If this one dies, too,
    the run is the cause."""


class _Zygote:
    """The runner's end of one zygote."""

    def __init__(
        self, process: subprocess.Popen[bytes], control: socket.socket, on_lost: Callable[[_Zygote], None]
    ) -> None:
        self.process = process
        self._on_lost = on_lost
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._ready: asyncio.Future[Ready] = self._loop.create_future()
        self._runs: dict[str, asyncio.Future[RunEnded]] = {}
        self.alive = True
        control.setblocking(False)
        self._loop.add_reader(control.fileno(), self._read)

    @classmethod
    def start(cls, entry: str, home: Path, on_lost: Callable[[_Zygote], None]) -> _Zygote:
        """Start one for ``entry`` ("module:attribute"; blank: for programs)."""
        with contextlib.ExitStack() as ours_unless_started:
            ours, theirs = socket.socketpair()
            ours_unless_started.enter_context(ours)
            with theirs:
                command = [sys.executable, "-m", "docfleet.runner.engines.zygote", str(theirs.fileno())]
                process = subprocess.Popen(
                    [*command, *filter(None, [entry])],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=clean_environment(home),
                    cwd=home,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            ours_unless_started.pop_all()
        return cls(process, ours, on_lost)

    async def ready(self) -> None:
        """Wait until it accepts runs. Raises ``ConfigurationError`` when the tool cannot be imported."""
        report = await asyncio.wait_for(asyncio.shield(self._ready), PRELOAD_SECONDS)
        if report.threads != 1:
            log.warning("zygote.threads", pid=self.process.pid, threads=report.threads)

    async def run(self, job: Job, output: Output, started: asyncio.Event) -> RunEnded:
        """Run ``job`` to its end; ``started`` is set when its process is."""
        if not self.alive:
            raise RunnerUnavailable("the runner lost the process that starts this tool: send the run again")
        ended: asyncio.Future[RunEnded] = self._loop.create_future()
        reading, writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reading, False)
        try:
            self._loop.add_reader(reading, self._take_output, reading, job, output)
            try:
                self._runs[job.run_id] = ended
                self._order(_start_order(job), writing)
            finally:
                os.close(writing)
            started.set()
            return await asyncio.wait_for(ended, job.limits.wall_seconds + OVERDUE_SECONDS)
        except TimeoutError:
            self.process.kill()
            raise ToolCrashed("the runner lost the process: the tool could not be ended") from None
        finally:
            self._runs.pop(job.run_id, None)
            while self._take_output(reading, job, output):
                pass
            self._loop.remove_reader(reading)
            os.close(reading)
            output.finish()

    def _take_output(self, reading: int, job: Job, output: Output) -> bool:
        try:
            data = os.read(reading, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(reading)
            return False
        output.feed(data)
        if output.total_bytes > job.limits.file_size_bytes:
            self.kill(job.run_id, "output")
        return True

    def kill(self, run_id: str, breach: wire.Breach | None = None) -> None:
        """Kill the run's process group if it still runs."""
        if run_id in self._runs and self.alive:
            with contextlib.suppress(RunnerUnavailable):
                self._order(KillRun(run_id=run_id, breach=breach))

    def _order(self, order: wire.Order, *descriptors: int) -> None:
        line = wire.encode(order)
        try:
            sent = socket.send_fds(self._control, [line], descriptors) if descriptors else self._control.send(line)
        except OSError as error:
            raise RunnerUnavailable(f"the zygote accepts no orders: {error.strerror}") from error
        if sent != len(line):  # after half an order in the stream, nothing could be decoded
            self.process.kill()
            raise RunnerUnavailable("the zygote accepts no orders: its socket is full")

    def _read(self) -> None:
        try:
            data = self._control.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            self._on_lost(self)
            return
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self._handle(wire.report_decoder.decode(line))

    def _handle(self, report: wire.Report) -> None:
        if isinstance(report, Ready):
            _set_result(self._ready, report)
        elif isinstance(report, Unusable):
            _set_result(self._ready, ConfigurationError(f"the tool cannot be started: {report.error}"))
        elif (future := self._runs.get(report.run_id)) is not None:
            _set_result(future, report)

    def _lost(self) -> None:
        self.alive = False
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        _set_result(self._ready, ToolCrashed("the process that starts this tool died while it imported it"))
        self._ready.exception()
        for future in self._runs.values():
            # The document is not at fault: only the parent of its tool died.
            _set_result(future, RunnerUnavailable("the runner lost the process: its parent died; send the run again"))

    async def close(self) -> None:
        """End it and all it runs; the zygote does so by itself when its socket closes."""
        if self.alive:
            self._lost()
        try:
            await asyncio.to_thread(self.process.wait, 5.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            await asyncio.to_thread(self.process.wait)


def _set_result[T](future: asyncio.Future[T], result: T | BaseException) -> None:
    if future.done():
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)


def _start_order(job: Job) -> StartRun:
    return StartRun(
        run_id=job.run_id,
        root=str(job.working.root),
        limits=job.limits,
        input_bytes=job.working.input_bytes,
        log_level=job.log_level,
        command=list(job.descriptor.command or ()),
    )


def clean_environment(home: Path) -> dict[str, str]:
    """The part of the runner's environment that a tool gets: the paths of programs and modules, and the language."""
    ours = environment()
    kept = {name: ours[name] for name in ("PATH", "PYTHONPATH") if ours.get(name)}
    return kept | {
        "LANG": ours.get("LANG") or "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(home),
        "OMP_THREAD_LIMIT": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


class ProcessEngine:
    """Starts zygotes on demand, replaces dead ones, and carries out runs. ``home`` is a private folder.

    ``owns_process``: this process is only a runner, so every unknown child is a leftover.
    """

    def __init__(self, home: Path, *, owns_process: bool = False) -> None:
        self._home = home
        self._owns_process = owns_process
        self._zygotes: dict[str, _Zygote] = {}
        self._starting: dict[str, asyncio.Lock] = {}
        self._at: dict[str, _Zygote | None] = {}
        self._killed: set[str] = set()
        self._started: set[_Zygote] = set()
        self._cleanups: set[asyncio.Task[None]] = set()
        self._closing = False
        if owns_process:
            processes.adopt_orphans()

    async def execute(self, job: Job, output: Output, started: asyncio.Event) -> RunEnded:
        """Run ``job`` to its end; ``started`` is set when its process is.

        Raises ``ToolStopped`` when it was killed before it started, ``ToolCrashed`` when its zygote died,
        ``ConfigurationError`` when the tool cannot be imported.
        """
        self._at[job.run_id] = None
        try:
            entry = job.descriptor.entry or _PROGRAMS
            zygote = await (self._start(entry) if job.alone else self._zygote(entry))
            try:
                if job.run_id in self._killed:
                    raise ToolStopped("the run was stopped before it started")
                self._at[job.run_id] = zygote
                return await zygote.run(job, output, started)
            except RunnerUnavailable:
                if not job.alone or self._closing:
                    raise
                raise ToolCrashed("the tool ended the process that had started it, twice") from None
            finally:
                if job.alone:
                    await zygote.close()
                    self._started.discard(zygote)
        finally:
            del self._at[job.run_id]
            self._killed.discard(job.run_id)

    def kill(self, run_id: str) -> None:
        """Kill the run's process group, or keep it from starting; harmless when it is over."""
        if run_id in self._at:
            zygote = self._at[run_id]
            if zygote is None:
                self._killed.add(run_id)
            else:
                zygote.kill(run_id)

    async def _zygote(self, entry: str) -> _Zygote:
        zygote = self._zygotes.get(entry)
        if zygote is not None and zygote.alive:
            return zygote
        async with self._starting.setdefault(entry, asyncio.Lock()):
            zygote = self._zygotes.get(entry)
            if zygote is not None and zygote.alive:
                return zygote
            self._zygotes[entry] = zygote = await self._start(entry)
            return zygote

    async def _start(self, entry: str) -> _Zygote:
        zygote = _Zygote.start(entry, self._home, self._lost)
        self._started.add(zygote)
        try:
            await zygote.ready()
        except BaseException:
            zygote.process.kill()
            raise
        log.info("zygote.started", entry=entry or "programs", pid=zygote.process.pid)
        return zygote

    def _lost(self, zygote: _Zygote) -> None:
        cleanup = asyncio.ensure_future(self._clean_up(zygote))
        self._cleanups.add(cleanup)
        cleanup.add_done_callback(self._cleanups.discard)

    async def _clean_up(self, zygote: _Zygote) -> None:
        await zygote.close()
        self._started.discard(zygote)
        log.warning("zygote.died", pid=zygote.process.pid, returncode=zygote.process.returncode)
        if self._owns_process:  # its runs have lost their parent and are children of this process now
            processes.kill_strays([other.process.pid for other in self._started], within_seconds=1.0)

    async def close(self) -> None:
        """End all zygotes and everything they run."""
        self._closing = True
        await asyncio.gather(*self._cleanups, *(zygote.close() for zygote in self._started))
        self._started.clear()
        self._zygotes.clear()
        if self._owns_process:
            processes.kill_strays(())
