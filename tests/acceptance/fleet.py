"""A whole Docfleet for the acceptance tests: real processes, a real broker, driven over the management API.

``Fleet`` is ``docfleet dev`` in a folder of its own, with short leases and small tool limits; ``Run`` is one execution.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console

from docfleet.cli.embedded.system import Addresses
from docfleet.cli.management import ManagementClient
from docfleet.cli.show.destination import describe_destination, example_rows
from docfleet.cli.show.summary import RunResult, as_json, show
from docfleet.cli.workflow_file import WorkflowFile
from docfleet.core.management.executions import ExecutionState, FileOfExecution
from docfleet.core.storage import KEPT_EVIDENCE
from docfleet.workers.shared.infrastructure.process.companion import COMPANION
from tests.waiting import SECONDS, until

PLUGINS = Path(__file__).parent / "plugins"
"""Tools, connectors and tasks that the processes load: a folder for PYTHONPATH."""
DOCFLEET = (sys.executable, "-P", "-m", "docfleet.cli.main")
TABLE = "results"
SETTINGS = {
    # A lost worker costs one lease and two sweeps.
    "LEASE_SECONDS": "6",
    "SWEEP_INTERVAL_SECONDS": "2",
    "DISPATCH_DEADLINE_SECONDS": "6",
    # Tests hold documents on a stage meanwhile.
    "TOOL_TIMEOUT_SECONDS": "30",
    "TOOL_MEMORY_BYTES": str(400 * 1024**2),
    "TOOL_FILE_SIZE_BYTES": str(8 * 1024**2),
    "CELERY_RESULT_CHORD_RETRY_INTERVAL": "0.3",
    # Documents of tests are complete when a run begins.
    "SOURCE_STILL_SECONDS": "0",
    "API_MAX_FILE_SIZE_MB": "210",
    "API_MAX_REQUEST_SIZE_MB": "220",
}
_OURS = ("CELERY_", "WORKER_", "INTERNAL_", "RUNNER_", "BACKEND_", "TOOL_", "API_")


def plain_environment() -> dict[str, str]:
    """This process's environment without settings of Docfleet: a test says what it sets, but for documents, which
    are complete when a run begins."""
    single = {"REDIS_URL", "DATABASE_URL", "ENCRYPTION_KEY", "EXECUTION_STORAGE_ROOT", *SETTINGS}
    still = {"SOURCE_STILL_SECONDS": SETTINGS["SOURCE_STILL_SECONDS"]}
    kept = {name: value for name, value in os.environ.items() if name not in single and not name.startswith(_OURS)}
    return {**kept, **still}


class Fleet:
    """A running system; ``settings`` are environment variables beyond ``SETTINGS``."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        (folder / "registry").mkdir()
        (folder / "registry" / "actor.yaml").write_text(json.dumps({"tool_id": "actor", "module": "actor.tool:tool"}))
        environment = {
            **plain_environment(),
            **SETTINGS,
            "TOOL_REGISTRY_CONFIG_PATH": str(folder / "registry"),
            # Another tree of sources that this process was given comes first: its processes run that too.
            "PYTHONPATH": os.pathsep.join(
                (*filter(None, [os.environ.get("PYTHONPATH")]), str(PLUGINS), str(_plugin(folder / "plugins")))
            ),
            **(settings or {}),
        }
        with (folder / "dev.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*DOCFLEET, "dev", "--json", "--data", str(self.data)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.stdout.close()
            self.process.wait()
            raise RuntimeError(f"the fleet did not start:\n{(folder / 'dev.log').read_text()}")
        said = json.loads(line)
        self.addresses = Addresses(said["url"], said["runner_url"], said["key"])
        self.client = ManagementClient(self.addresses)

    def stop(self) -> None:
        """Ctrl-C; raises when anything is left behind."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            if self.process.stdout:
                self.process.stdout.close()
        left = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _mentions(pid, self.data)]
        assert not left, f"processes were left behind: {left}"

    def begin(
        self,
        source: Path,
        *tools: str | dict[str, Any],
        name: str | None = None,
        history: bool = True,
        destination: dict[str, Any] | None = None,
        workflow: dict[str, Any] | None = None,
        **options: Any,
    ) -> Run:
        """Start an execution on a folder. ``options`` are the source's, ``workflow`` further keys of the workflow;
        the default destination is a SQLite table beside the source."""
        into = destination or {
            "connector": "sqlite",
            "settings": {"path": str(source.parent / f"{source.name}.db")},
            "table": TABLE,
        }
        connector = options.pop("connector", "local")
        document = {
            "name": name or f"workflow-{uuid.uuid4().hex[:12]}",
            "source": {"connector": connector, "settings": {"path": str(source)}, **options},
            "tools": [tool if isinstance(tool, dict) else {"tool": tool} for tool in tools or ("actor",)],
            "destination": into,
            **(workflow or {}),
        }
        workflow_id = self.client.put_workflow(document)
        execution_id = self.client.create_execution(workflow_id, use_file_history=history)
        return Run(self, execution_id, _described(document, history))

    def run(self, source: Path, *tools: str | dict[str, Any], **options: Any) -> Run:
        """``begin`` and wait for the end."""
        return self.begin(source, *tools, **options).wait()

    def worker(self, kind: str) -> int:
        """The process id of the worker of this type that runs now."""
        return self.service("worker", kind)

    def service(self, *arguments: str) -> int:
        """The process id of ``docfleet ARGUMENTS`` that runs now."""

        def found() -> int | None:
            for pid in children(self.process.pid):
                if _command(pid)[-len(arguments) :] == [*arguments]:
                    return pid
            return None

        return int(until(found, what=f"no {arguments} runs"))

    def log(self, name: str) -> str:
        """What a process wrote so far."""
        return (self.data / "logs" / f"{name}.log").read_text(errors="replace")


class Run:
    """One execution of a fleet."""

    def __init__(self, fleet: Fleet, execution_id: str, workflow: WorkflowFile) -> None:
        self.fleet = fleet
        self.id = execution_id
        self.workflow = workflow
        self.started = time.monotonic()

    def wait(self, seconds: float = SECONDS) -> Run:
        """Return when the status is final."""
        until(lambda: self.state.execution.status.is_final, seconds, what=f"execution {self.id} did not end")
        self.seconds = time.monotonic() - self.started
        return self

    @property
    def state(self) -> ExecutionState:
        return self.fleet.client.execution(self.id)

    @property
    def status(self) -> str:
        return self.state.execution.status.value

    @property
    def files(self) -> list[FileOfExecution]:
        """By number."""
        return self.fleet.client.files(self.id)

    @property
    def by_name(self) -> dict[str, FileOfExecution]:
        found = {file.name: file for file in self.files}
        assert len(found) == len(self.files), "two files have one name: use files"
        return found

    @property
    def statuses(self) -> dict[str, str]:
        """By path."""
        return {file.path: file.status for file in self.files}

    @property
    def error(self) -> str:
        """Why the execution as a whole failed."""
        return self.state.execution.error_message or ""

    def assert_cleaned(self) -> None:
        """Its working files are deleted, also those of attempts whose worker died."""
        storage = self.fleet.data / "storage"
        kept = storage / KEPT_EVIDENCE
        work = lambda: (path for path in storage.rglob("*") if not path.is_relative_to(kept))  # noqa: E731
        left = lambda: [str(path) for path in work() if self.id in path.parts]  # noqa: E731
        until(lambda: not left(), what=f"working files were left behind: {left()}")

    def rows(self) -> list[dict[str, Any]]:
        """The rows of this execution in its SQLite destination."""
        path = self.workflow.destination["settings"]["path"]
        with closing(sqlite3.connect(path)) as database:
            database.row_factory = sqlite3.Row
            found = database.execute(f"SELECT * FROM {TABLE} WHERE execution_id = ? ORDER BY file_path", (self.id,))
            return [dict(row) for row in found]

    @property
    def result(self) -> RunResult:
        """As ``docfleet run`` puts it together."""
        rows = example_rows(self.workflow, self.id, 3)
        return RunResult(self.workflow.name, self.state, self.files, 1.0, describe_destination(self.workflow), rows)

    def json(self) -> dict[str, Any]:
        """What ``docfleet run --json`` prints."""
        found: dict[str, Any] = json.loads(as_json(self.result))
        return found

    def page(self) -> str:
        """What ``docfleet run`` shows, on a wide terminal."""
        screen = io.StringIO()
        show(Console(file=screen, width=300), self.result)
        return screen.getvalue()


class Stage:
    """Where documents that say ``wait`` wait: ``actor`` with ``stage.tool`` marks each start and waits for ``open``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.tool = {"tool": "actor", "settings": {"stage": str(folder)}}

    def started(self) -> list[str]:
        """Names of the documents a tool began to work on, once a start."""
        # A mark is there a moment before its text is.
        return [name for path in self.folder.glob("*.started") if (name := path.read_text())]

    def await_starts(self, number: int) -> None:
        """Return when that many tools wait."""
        until(lambda: len(self.started()) >= number, what=f"only {self.started()} started")

    def open(self) -> None:
        """Let all of them go on, now and later."""
        (self.folder / "open").touch()


def fill(folder: Path, files: dict[str | bytes, str | bytes]) -> Path:
    """Make a folder with these files; a name may be bytes, and hold folders."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = os.path.join(os.fsencode(folder), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(content if isinstance(content, bytes) else content.encode())
    return folder


def children(pid: int) -> list[int]:
    """Processes a process started."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def pool_children(worker: int) -> list[int]:
    """The pool of a worker: its children without its companion."""
    return [pid for pid in children(worker) if _comm(pid) != COMPANION]


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _described(document: dict[str, Any], history: bool) -> WorkflowFile:
    return WorkflowFile(path=Path("test.yaml"), name=document["name"], document=document, use_file_history=history)


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def _mentions(pid: int, folder: Path) -> bool:
    name = os.fsencode(folder)
    try:
        entry = Path(f"/proc/{pid}")
        return name in (entry / "cmdline").read_bytes() or name in (entry / "environ").read_bytes()
    except OSError:
        return False


def _plugin(folder: Path) -> Path:
    """An installed distribution that plugs in the connectors of ``folders.py``."""
    described = folder / "folders-1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: folders\nVersion: 1.0\n")
    points = {"vanishing": "folders:VanishingFolder", "paused": "folders:PausedFolder"}
    lines = ["[docfleet.connectors]", *(f"{name} = {entry}" for name, entry in points.items())]
    (described / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder
