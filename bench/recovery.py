"""``kill -9`` of each kind of process, with the default settings: seconds until what it hit has gone on to its end.

A run has 24 files of half a second each on two slots. The process group is killed when some are done, or at a named
point of its work. A supervisor starts what died again. ``gone`` is a worker whose machine is lost: its processes stand
still for ever, nobody sees them end, and another worker of the type starts at that moment.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from bench.figures import Figure, Report
from bench.fleet import NO_OP, Fleet, small_files
from bench.processes import pool_children
from docfleet.core.management.keys import Scope
from docfleet.core.names import WorkerType

FILES = 24
SLOTS = 2
FILE_SECONDS = 0.5
DONE_BEFORE = 4
LIMIT_SECONDS = 400.0
GOAL_SECONDS = 60.0
_POLL_SECONDS = 0.1
SLEEP = [{"tool": "sleeper", "settings": {"seconds": FILE_SECONDS}}]


class Recovery(Fleet):
    """A fleet of all worker types whose processes can be killed at a named point."""

    def __init__(self) -> None:
        super().__init__(
            workers=tuple(WorkerType),
            FILE_PROCESSING_CONCURRENCY=str(SLOTS),
            RUNNER_CONCURRENCY=str(SLOTS),
            NOTIFICATION_ALLOWED_NETWORKS="127.0.0.0/8",
            sleeper=True,
        )
        self.faults = self.folder / "faults"
        self.faults.mkdir()
        self.system.more = {**self.system.more, "DOCFLEET_FAULTS_FOLDER": str(self.faults)}

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait, and start again what died meanwhile."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"not within {LIMIT_SECONDS:.0f} s: {what}")
            self.system.check()
            time.sleep(_POLL_SECONDS)

    def signal(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """To the whole process group."""
        os.killpg(self.system.pids()[name], number)

    def arm(self, point: str) -> None:
        """The next process that comes to ``point`` is killed there, with its group."""
        draft = self.faults / "draft"
        draft.write_text(f"# {uuid.uuid4().hex}\n{point}=kill_group@1\n")
        draft.replace(self.faults / "armed")

    def await_kill(self, point: str) -> None:
        """Return when that has happened."""
        self.until(lambda: any("kill_group" in path.read_text() for path in self.faults.glob(f"{point}.[0-9]*")), point)
        (self.faults / "armed").unlink()

    def done(self, execution_id: str) -> int:
        """How many files are completed."""
        try:
            return self.client.execution(execution_id).counts.get("COMPLETED", 0)
        except Exception:  # the backend is being started again
            return 0

    def end(self, execution_id: str, files: int = FILES) -> None:
        """Wait for the end, which has to be a good one."""

        def over() -> bool:
            try:
                return self.client.execution(execution_id).execution.status.is_final
            except Exception:  # the backend is being started again
                return False

        self.until(over, f"the end of {execution_id}")
        state = self.client.execution(execution_id)
        if state.counts.get("COMPLETED", 0) != files:
            raise RuntimeError(f"{state.execution.status}: {state.counts}")


def measure(*, short: bool) -> Report:
    """Each loss in a fleet of its own. ``short``: only those of file workers."""
    report = Report()
    chosen = {name: loss for name, loss in LOSSES.items() if not short or name.startswith(("undisturbed", "file"))}
    for name, (loss, what) in chosen.items():
        with Recovery() as fleet:
            source = small_files(fleet.folder / "in", FILES)
            seconds = loss(fleet, source)
        print(f"recovery {name}: {seconds:.1f} s", file=sys.stderr)
        goal = None if name == "undisturbed" else GOAL_SECONDS
        report.figures.append(Figure(f"recovery_s.{name}", seconds, "s", at_most=goal, note=what))
    return report


def _run(fleet: Recovery, source: Path, lose: Callable[[], object]) -> float:
    """Seconds from the loss in the middle of a run to its end."""
    execution_id = fleet.start(source, SLEEP)
    fleet.until(lambda: fleet.done(execution_id) >= DONE_BEFORE, "the first files")
    lose()
    started = time.monotonic()
    fleet.end(execution_id)
    return time.monotonic() - started


def _undisturbed(fleet: Recovery, source: Path) -> float:
    return _run(fleet, source, lambda: None)


def _killed(name: str) -> Callable[[Recovery, Path], float]:
    return lambda fleet, source: _run(fleet, source, lambda: fleet.signal(name))


def _child(fleet: Recovery, source: Path) -> float:
    def lose() -> None:
        os.kill(pool_children(fleet.system.pids()["file_processing"])[0], signal.SIGKILL)

    return _run(fleet, source, lose)


def _gone(fleet: Recovery, source: Path) -> float:
    others: list[subprocess.Popen[bytes]] = []

    def lose() -> None:
        fleet.signal("file_processing", signal.SIGSTOP)
        command = [sys.executable, "-P", "-m", "docfleet.cli.main", "worker", "file_processing"]
        environment = {**fleet.shared, "WORKER_HEALTH_PORT": "0"}
        others.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    try:
        return _run(fleet, source, lose)
    finally:
        for other in others:
            other.terminate()
            other.wait()


def _at(point: str) -> Callable[[Recovery, Path], float]:
    """Killed at ``point`` of a run; seconds to the end of the run."""

    def lose(fleet: Recovery, source: Path) -> float:
        fleet.arm(point)
        execution_id = fleet.start(source, NO_OP)
        fleet.await_kill(point)
        started = time.monotonic()
        fleet.end(execution_id)
        return time.monotonic() - started

    return lose


def _api_deployment(fleet: Recovery, source: Path) -> float:
    document = {"name": "api", "source": {"connector": "api"}, "tools": NO_OP, "destination": {"connector": "api"}}
    fleet.client.put_workflow(document)
    url = fleet.client.absolute(fleet.client.put_deployment({"api_name": "api", "workflow": "api"}).url)
    key = fleet.client.create_key(Scope.DEPLOYMENT, "api", "bench").key
    fleet.arm("orchestrate.listed")
    answer = requests.post(
        url,
        files={"files": ("a.txt", b"text")},
        data={"timeout": "0"},
        headers={"Authorization": f"Bearer {key}"},
        timeout=30,
    )
    fleet.await_kill("orchestrate.listed")
    started = time.monotonic()
    fleet.end(answer.json()["message"]["execution_id"], 1)
    return time.monotonic() - started


def _callback(fleet: Recovery, source: Path) -> float:
    """The run has ended by itself; its working folder waits for a callback."""
    fleet.arm("callback.before")
    execution_id = fleet.start(source, NO_OP)
    fleet.await_kill("callback.before")
    started = time.monotonic()
    fleet.end(execution_id)
    storage = fleet.system.data.storage
    fleet.until(lambda: not any(execution_id in path.parts for path in storage.rglob("*")), "its folder is deleted")
    return time.monotonic() - started


def _notification(fleet: Recovery, source: Path) -> float:
    got = threading.Event()

    class Target(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            got.set()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        fleet._workflow(source, NO_OP)
        fleet.client.put_pipeline({"name": "nightly", "workflow": f"bench-{fleet._count}"})
        settings = {"url": f"http://127.0.0.1:{server.server_port}/"}
        notification = {"name": "ops", "pipeline": "nightly", "provider": "webhook", "settings": settings}
        fleet.client.put_notification(notification)
        fleet.arm("notification.claimed")
        fleet.client.run_pipeline(fleet.client.pipeline("nightly").pipeline_id)
        fleet.await_kill("notification.claimed")
        started = time.monotonic()
        fleet.until(got.is_set, "the notification")
        return time.monotonic() - started
    finally:
        server.shutdown()
        server.server_close()


def _log_consumer(fleet: Recovery, source: Path) -> float:
    expected = _lines(fleet, source)
    fleet.arm("logs.taken")
    execution_id = fleet.start(source, NO_OP)
    fleet.await_kill("logs.taken")
    started = time.monotonic()
    fleet.until(lambda: len(list(fleet.client.logs(execution_id))) >= expected, "all lines")
    return time.monotonic() - started


def _lines(fleet: Recovery, source: Path) -> int:
    """The number of lines of an undisturbed run."""
    execution_id = fleet.start(source, NO_OP)
    fleet.end(execution_id)
    time.sleep(3.0)
    return len(list(fleet.client.logs(execution_id)))


def _scheduler(fleet: Recovery, source: Path) -> float:
    """To the next sweep."""
    fleet.until(lambda: _swept_at(fleet) > 0, "the first sweep")
    fleet.signal("scheduler")
    started, killed_at = time.monotonic(), time.time()
    fleet.until(lambda: _swept_at(fleet) > killed_at, "the next sweep")
    return time.monotonic() - started


def _swept_at(fleet: Recovery) -> float:
    addresses = fleet.system.addresses
    answer = requests.get(
        f"{addresses.backend_url}/metrics", headers={"Authorization": f"Bearer {addresses.key}"}, timeout=10
    )
    found = re.search(r"^docfleet_sweep_last_timestamp_seconds (\S+)", answer.text, re.MULTILINE)
    return float(found[1]) if found else 0.0


LOSSES: dict[str, tuple[Callable[[Recovery, Path], float], str]] = {
    "undisturbed": (_undisturbed, "the rest of a run that loses nothing"),
    "file_processing": (_killed("file_processing"), "to the end of the run; the worker is started again"),
    "file_processing_gone": (_gone, "to the end of the run; its machine is lost, another worker starts"),
    "pool_child": (_child, "to the end of the run"),
    "general": (_at("orchestrate.listed"), "killed while it lists; to the end of the run"),
    "general_sending": (_at("orchestrate.started"), "killed before it sends batches; to the end of the run"),
    "api_deployment": (_api_deployment, "killed with the call in work; to the end of the call"),
    "callback": (_callback, "killed in the callback; until the working folder is deleted"),
    "notification": (_notification, "killed with a notification in work; until the target has it"),
    "log_consumer": (_log_consumer, "killed with lines in work; until all lines are written"),
    "scheduler": (_scheduler, "to the next sweep"),
    "runner": (_killed("runner"), "to the end of the run"),
    "backend": (_killed("backend"), "to the end of the run"),
    "broker": (_killed("valkey"), "to the end of the run; embedded Valkey"),
}
