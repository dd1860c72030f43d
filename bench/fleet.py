"""The complete system in a temporary folder, as ``docfleet run`` starts it, and executions in it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, override

from bench.processes import COMPANION, children, comm, command_line, cpu_seconds, own_cpu_seconds
from bench.proxy import CountingProxy
from docfleet.cli.commands.run import RUN_WORKERS
from docfleet.cli.embedded.system import EmbeddedSystem
from docfleet.cli.management import ManagementClient
from docfleet.core.management.executions import ExecutionState
from docfleet.core.names import WorkerType
from docfleet.core.settings import environment

NO_OP: list[dict[str, Any]] = [{"tool": "passthrough", "settings": {"copy": False}}]
HERE = Path(__file__).resolve().parent
EXECUTION_SECONDS = 1800.0
_POLL_SECONDS = 0.25
"""The interval of ``docfleet run``, so that the figures contain its share of the cost."""


class System(EmbeddedSystem):
    """The embedded system with more variables for its processes, and others for its workers."""

    more: Mapping[str, str] = {}
    for_workers: Mapping[str, str] = {}

    @override
    def _environment(self, valkey_socket: str | None) -> dict[str, str]:
        # Documents of a benchmark are complete when its run begins.
        self.shared = {**super()._environment(valkey_socket), "SOURCE_STILL_SECONDS": "0", **self.more}
        return self.shared

    @override
    def _worker(self, worker: WorkerType, shared: dict[str, str], *lane: str) -> Any:
        return super()._worker(worker, {**shared, **self.for_workers}, *lane)


@dataclass(frozen=True)
class Done:
    """One execution. ``wall_seconds`` is the backend's, from its creation to its final status."""

    execution_id: str
    state: ExecutionState
    wall_seconds: float
    cpu_seconds: float


class Fleet:
    """A running system. A context manager; leaving it stops everything and removes the folder.

    ``variables`` go to every process. ``counted`` puts a ``proxy`` between the workers and the backend. The proxy
    costs CPU time, so nothing else is measured then. With ``sleeper`` there is a tool of that name.
    """

    def __init__(
        self,
        *,
        counted: bool = False,
        proxy: type[CountingProxy] = CountingProxy,
        workers: Iterable[WorkerType] = RUN_WORKERS,
        sleeper: bool = False,
        **variables: str,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="docfleet-bench-"))
        self.system = System(self.folder / "data", workers, command="bench", report=_report)
        self.system.more = {"LOG_LEVEL": "WARNING", **(_with_sleeper() if sleeper else {}), **variables}
        self.proxy = proxy(self.system.addresses.internal_url)
        if counted:
            self.system.for_workers = {"INTERNAL_API_BASE_URL": f"{self.proxy.url}/internal"}
        self._count = 0

    def __enter__(self) -> Self:
        try:
            self.proxy.__enter__()
            self.system.start()
            self.client = ManagementClient(self.system.addresses)
            self.client.put_organization()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self.system.stop()
        self.proxy.__exit__(None, None, None)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def shared(self) -> dict[str, str]:
        """The environment of the processes."""
        return self.system.shared

    def start(self, source: Path, tools: list[dict[str, Any]]) -> str:
        """Start an execution over ``source`` into a new SQLite file; its id."""
        return self.client.create_execution(self._workflow(source, tools), use_file_history=False)

    def _workflow(self, source: Path, tools: list[dict[str, Any]]) -> str:
        return self.client.put_workflow(self.document(source, tools))

    def document(self, source: Path, tools: list[dict[str, Any]]) -> dict[str, Any]:
        """A workflow with a name and a destination of its own."""
        self._count += 1
        return {
            "name": f"bench-{self._count}",
            "use_file_history": False,
            "source": {
                "connector": "local",
                "settings": {"path": str(source)},
                "folders": ["/"],
                "fileExtensions": ["*"],
                "processSubDirectories": True,
                "maxFiles": 1_000_000,
            },
            "tools": tools,
            "destination": {
                "connector": "sqlite",
                "settings": {"path": str(self.folder / f"out-{self._count}.db")},
                "table": "results",
            },
        }

    def run(self, source: Path, tools: list[dict[str, Any]]) -> Done:
        """One execution to its end. Raises ``RuntimeError`` when it takes too long."""
        workflow = self._workflow(source, tools)
        roots = list(self.system.pids().values())
        cpu = cpu_seconds(roots) + own_cpu_seconds()
        execution_id = self.client.create_execution(workflow, use_file_history=False)
        state = self._wait(execution_id)
        cpu = cpu_seconds(roots) + own_cpu_seconds() - cpu
        if list(self.system.pids().values()) != roots:
            raise RuntimeError("a process died during the execution: its CPU time is lost")
        return Done(execution_id, state, state.execution.execution_time, cpu)

    def _wait(self, execution_id: str) -> ExecutionState:
        deadline = time.monotonic() + EXECUTION_SECONDS
        while time.monotonic() < deadline:
            self.system.check()
            state = self.client.execution(execution_id)
            if state.execution.status.is_final:
                return state
            time.sleep(_POLL_SECONDS)
        raise RuntimeError(f"execution {execution_id} did not end in {EXECUTION_SECONDS:.0f} s")

    def processes(self) -> dict[int, str]:
        """The names of the processes by pid: ``backend``, ``general``, ``general child``, ``zygote passthrough``, …"""
        names: dict[int, str] = {}
        for name, pid in self.system.pids().items():
            names[pid] = name
            for child in children(pid):
                words = command_line(child).split()
                if comm(child) == COMPANION:
                    names[child] = f"{name} companion"
                    continue
                if "docfleet.runner.engines.zygote" in words:
                    names[child] = f"zygote {words[-1]}".removesuffix(".tool:tool").replace(
                        "docfleet.tools.builtin.", ""
                    )
                elif words:
                    names[child] = f"{name} child"
        return names


def _with_sleeper() -> dict[str, str]:
    # Its module is imported from the folder above this one.
    path = os.pathsep.join(filter(None, (str(HERE.parent), environment().get("PYTHONPATH"))))
    return {"PYTHONPATH": path, "TOOL_REGISTRY_CONFIG_PATH": str(HERE / "sleeper" / "registry")}


def small_files(folder: Path, count: int) -> Path:
    """``count`` text files of about 100 bytes, each with a content of its own."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"document-{number:06}.txt").write_text(f"Document {number}\n" + "A line of text. " * 5 + "\n")
    return folder


def expect_all_completed(done: Done, files: int) -> None:
    """Raise ``RuntimeError`` when the execution did not complete every file: its figures mean nothing."""
    if done.state.counts.get("COMPLETED", 0) != files:
        raise RuntimeError(f"{done.state.execution.status}: {done.state.counts} of {files} files")


def _report(line: str) -> None:
    print(line, file=sys.stderr)
