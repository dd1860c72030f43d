"""The table of runs: running, waiting and ended ones."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from docfleet.core.errors import (
    Conflict,
    DocfleetError,
    NotFound,
    RunnerBusy,
    RunnerUnavailable,
    ToolCrashed,
    ToolFailed,
    ToolStopped,
)
from docfleet.core.machine import machine_trouble
from docfleet.core.runs import RunRequest, RunState
from docfleet.core.storage import INFILE, resolve_folder
from docfleet.runner.engines.process import Job, ProcessEngine
from docfleet.runner.engines.wire import RunEnded
from docfleet.runner.folders import ExecutionFolder, WorkingFolder
from docfleet.runner.limits import folder_size
from docfleet.runner.logs import Output, log
from docfleet.runner.long_runs import LongRuns, past_first_limit
from docfleet.runner.run_marks import MAX_DEATHS, RunMark
from docfleet.runner.settings import RunnerSettings
from docfleet.runner.verdict import check_result, failure, on_the_runner
from docfleet.tools.registry import ToolDescriptor, ToolRegistry

_ERROR_LENGTH = 2000
_BROKEN = "the runner could not carry out the run for a fault of its own: its log has the reason under run.broken"


class _Run:
    """One run. ``stop`` is the reason to end it early, if there is one."""

    def __init__(self, run_id: str, digest: bytes, state: RunState) -> None:
        self.run_id = run_id
        self.digest = digest
        self.state = state
        self.finished = asyncio.Event()
        self.stop: DocfleetError | None = None
        self.task: asyncio.Task[None] | None = None
        self.executing = False
        self.alone = False


def _digest(request: RunRequest) -> bytes:
    return hashlib.sha256(msgspec.json.encode(request, order="deterministic")).digest()


class RunTable:
    """All runs this runner knows. ``home`` is a private folder for the working folders."""

    def __init__(self, settings: RunnerSettings, registry: ToolRegistry, engine: ProcessEngine, home: Path) -> None:
        self._storage = Path(settings.execution_storage_root)
        self._retention = settings.run_retention_seconds
        self._retention_count = settings.run_retention_count
        self._log_level = {"WARNING": "WARN"}.get(settings.log_level, settings.log_level)
        self._registry = registry
        self._engine = engine
        self._home = home
        self._concurrency = settings.runner_concurrency
        self._slots = asyncio.Semaphore(settings.runner_concurrency)
        self._long_runs = LongRuns(settings.long_runs)
        self._all_slots = asyncio.Lock()
        self._folders: dict[Path, tuple[asyncio.Lock, int]] = {}
        self._open: dict[str, _Run] = {}
        self._final: OrderedDict[str, _Run] = OrderedDict()
        self._count = 0
        self.draining = False

    # -- requests ------------------------------------------------------------------------------------------

    async def put(self, run_id: str, request: RunRequest, wait: float) -> RunState:
        """Create the run, or find it; answer when it is final or after ``wait`` seconds.

        Raises ``Conflict`` for another body under a known id and for a step out of order, ``NotFound`` for a
        folder that does not exist, ``UnsafePath``, ``ToolUnknown``, ``RunnerUnavailable`` while shutting down.
        """
        digest = _digest(request)
        run, alone = self._find(run_id), False
        if run is not None and run.state.is_final and not run.state.has_verdict:
            # The same request may run once more; in a process of its own, when the last one lost its parent.
            alone = run.state.error_code == RunnerUnavailable.code
            del self._final[run_id]
            run = None
        if run is None:
            run = await self._create(run_id, request, digest, alone=alone)
        if run.digest != digest:
            raise Conflict(f"run {run_id} exists with another request: use a new id for a new request")
        return await self._answer(run, wait)

    async def get(self, run_id: str, wait: float) -> RunState:
        """The state, when it is final or after ``wait`` seconds. Raises ``NotFound``."""
        return await self._answer(self._known(run_id), wait)

    async def delete(self, run_id: str) -> RunState:
        """End the run if it is not final, and answer when it is. Raises ``NotFound``."""
        run = self._known(run_id)
        self._stop(run, ToolStopped("the run was stopped on request"))
        await run.finished.wait()
        return run.state

    async def drain(self, grace_seconds: float) -> None:
        """Take no more runs; give those that run ``grace_seconds``, then end them."""
        self.draining = True
        shutdown = RunnerUnavailable("the runner is shutting down: send the run again")
        for run in list(self._open.values()):
            if not run.executing:
                self._stop(run, shutdown)
        tasks = [run.task for run in self._open.values() if run.task is not None]
        if tasks:
            log.info("runner.draining", runs=len(tasks), grace_seconds=grace_seconds)
            await asyncio.wait(tasks, timeout=grace_seconds)
        for run in list(self._open.values()):
            self._stop(run, shutdown)
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- table ---------------------------------------------------------------------------------------------

    def _find(self, run_id: str) -> _Run | None:
        self._drop_expired()
        return self._open.get(run_id) or self._final.get(run_id)

    def _known(self, run_id: str) -> _Run:
        run = self._find(run_id)
        if run is None:
            raise NotFound(f"there is no run {run_id}")
        return run

    def _drop_expired(self) -> None:
        expired = time.time() - self._retention
        while self._final:
            oldest = next(iter(self._final.values()))
            if len(self._final) <= self._retention_count and (oldest.state.finished_at or 0.0) > expired:
                return
            self._final.popitem(last=False)

    async def _answer(self, run: _Run, wait: float) -> RunState:
        if wait > 0 and not run.finished.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await run.finished.wait()
        return run.state

    async def _create(self, run_id: str, request: RunRequest, digest: bytes, *, alone: bool) -> _Run:
        if self.draining:
            raise RunnerUnavailable("the runner is shutting down: send the run again")
        descriptor = self._registry.get(request.tool_id)
        folder = resolve_folder(self._storage, request.folder)
        published = None
        if folder not in self._folders:  # otherwise another run uses it: wait for its lock
            published = await asyncio.to_thread(lambda: ExecutionFolder(folder).published(request.step))
        if (existing := self._find(run_id)) is not None:
            return existing
        run = _Run(run_id, digest, RunState(run_id=run_id, phase="RUNNING"))
        run.alone = alone
        if published is not None:
            self._finish(run, _succeeded(run, published))
            return run
        self._open[run_id] = run
        run.task = asyncio.create_task(self._drive(run, request, descriptor, folder))
        return run

    def _stop(self, run: _Run, reason: DocfleetError) -> None:
        if run.finished.is_set() or run.stop is not None:
            return
        run.stop = reason
        if run.executing:
            self._engine.kill(run.run_id)
        elif run.task is not None:
            run.task.cancel()

    def _finish(self, run: _Run, state: RunState) -> None:
        state.finished_at = time.time()
        run.state = state
        self._open.pop(run.run_id, None)
        self._final[run.run_id] = run
        run.finished.set()

    # -- one run -------------------------------------------------------------------------------------------

    async def _drive(self, run: _Run, request: RunRequest, descriptor: ToolDescriptor, folder: Path) -> None:
        bound = log.bind(run_id=run.run_id, tool_id=request.tool_id, execution_id=request.execution_id)
        try:
            mark = RunMark(folder, request)
            with self._long_runs.admitted(run.run_id, is_long=await asyncio.to_thread(mark.is_long)):
                async with self._folder_lock(folder), self._slot(deaths := await asyncio.to_thread(mark.deaths)):
                    run.executing = True
                    _refuse_after_deaths(deaths)
                    state = await self._execute(run, request, descriptor, folder, mark, deaths)
        except asyncio.CancelledError:
            state = _failed(run, run.stop or ToolStopped())
        except DocfleetError as error:
            state = _failed(run, error)
        except Exception as error:  # noqa: BLE001  the fault is the runner's, and the run has to end
            trouble = machine_trouble(error, forking=True)
            if trouble is None:
                bound.exception("run.broken")
            else:
                bound.error("run.machine_trouble", error_code=trouble.code, error=str(error))
            state = _failed(run, ToolFailed(_BROKEN) if trouble is None else on_the_runner(trouble))
        self._finish(run, state)
        bound.debug("run.finished", phase=state.phase, error_code=state.error_code, cpu_seconds=state.cpu_seconds)

    @contextlib.asynccontextmanager
    async def _folder_lock(self, folder: Path) -> AsyncIterator[None]:
        # One run per folder at a time: a second one has to read what the first one published.
        lock, users = self._folders.get(folder, (asyncio.Lock(), 0))
        self._folders[folder] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._folders[folder]
            if users == 1:
                del self._folders[folder]
            else:
                self._folders[folder] = lock, users - 1

    @contextlib.asynccontextmanager
    async def _slot(self, deaths: int) -> AsyncIterator[None]:
        """One slot, or all of them for a run during which a runner has died."""
        async with contextlib.AsyncExitStack() as held:
            if deaths:
                await held.enter_async_context(self._all_slots)  # two runs that collect slots would wait for each other
            for _ in range(self._concurrency if deaths else 1):
                await held.enter_async_context(self._slots)
            yield

    @contextlib.asynccontextmanager
    async def _first_limit(self, run: _Run, job: Job, output: Output, mark: RunMark) -> AsyncIterator[asyncio.Event]:
        """Around the run's process: past its first limit it gets a place for long runs, or is ended. The event is for
        the engine to say that the process has started."""
        started = asyncio.Event()

        async def watch() -> None:
            await started.wait()
            seconds = await past_first_limit(job.limits, job.working.input_bytes, output)
            await asyncio.to_thread(mark.note_long)
            try:
                self._long_runs.take(run.run_id, f"the tool took longer than {seconds:.3g} s on this document")
            except RunnerBusy as busy:
                self._stop(run, busy)

        watching = asyncio.create_task(watch())
        try:
            yield started
        finally:
            watching.cancel()

    async def _execute(
        self, run: _Run, request: RunRequest, descriptor: ToolDescriptor, folder: Path, mark: RunMark, deaths: int
    ) -> RunState:
        self._count += 1
        root = self._home / f"run-{self._count}"
        execution, working = await asyncio.to_thread(_prepare, folder, request, root)
        if working is None:
            return _succeeded(run, execution.published(request.step) or {})
        try:
            await asyncio.to_thread(mark.note, deaths)
            if run.stop is not None:
                raise run.stop
            output = Output(
                run_id=run.run_id,
                organization_id=request.organization_id,
                execution_id=request.execution_id,
                file_execution_id=request.file_execution_id,
            )
            run.state.started_at = time.time()
            run.state.lines = output.lines  # the same list, which grows: a request in between gets the lines so far
            job = Job(run.run_id, descriptor, working, request.limits, self._log_level, run.alone)
            async with self._first_limit(run, job, output, mark) as started:
                ended = await self._engine.execute(job, output, started)
            _measure(run.state, ended)
            if run.stop is not None:
                raise run.stop
        except BaseException:
            await asyncio.to_thread(working.remove)
            raise
        finally:
            await asyncio.to_thread(mark.clear)
        return _succeeded(run, await asyncio.to_thread(_conclude, execution, working, request, ended, output))


def _refuse_after_deaths(deaths: int) -> None:
    if deaths >= MAX_DEATHS:
        raise ToolCrashed(
            f"the runner died {deaths} times while it ran this tool on this document; find out what ends it "
            "(the memory limit of its container or machine), then run the file again"
        )


def _prepare(folder: Path, request: RunRequest, root: Path) -> tuple[ExecutionFolder, WorkingFolder | None]:
    # No working folder when another run has published the step meanwhile.
    execution = ExecutionFolder(folder)
    if execution.published(request.step) is not None:
        return execution, None
    working = WorkingFolder(root)
    try:
        execution.copy_in(working)
        working.put_settings(request.settings)
    except BaseException:
        working.remove()
        raise
    return execution, working


def _conclude(
    execution: ExecutionFolder, working: WorkingFolder, request: RunRequest, ended: RunEnded, output: Output
) -> dict[str, Any]:
    try:
        allowed = working.input_bytes + request.limits.file_size_bytes
        size, free = folder_size(str(working.root), allowed), shutil.disk_usage(working.root).free
        cause = failure(ended, output, request.limits, size, allowed, free)
        if cause is not None:
            if output.last_text:  # what a tool's author has to know, and no user
                log.info("tool.failed", run_id=ended.run_id, error_code=cause.code, text=output.last_text)
            raise cause
        check_result(working.data / INFILE, request.limits)
        return execution.publish(working, request.step)
    finally:
        working.remove()


def _measure(state: RunState, ended: RunEnded) -> None:
    state.exit_code = ended.exit_code
    state.signal = ended.signal
    state.cpu_seconds = ended.cpu_seconds
    state.max_rss_bytes = ended.max_rss_bytes


def _succeeded(run: _Run, tool_metadata: dict[str, Any]) -> RunState:
    return msgspec.structs.replace(run.state, phase="SUCCEEDED", tool_metadata=tool_metadata)


def _failed(run: _Run, error: DocfleetError) -> RunState:
    phase = "STOPPED" if isinstance(error, ToolStopped) else "FAILED"
    text = error.message[:_ERROR_LENGTH]  # nobody reads thousands of characters
    state: RunState = msgspec.structs.replace(run.state, phase=phase, error=text, error_code=error.code)
    return state
