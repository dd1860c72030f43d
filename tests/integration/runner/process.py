"""The runner as a real process over HTTP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

HERE = Path(__file__).parent / "runner_probe"
KEY = "test-key-" + "k" * 40
MEGABYTE = 1024**2
SERVE = (
    "from docfleet.runner.app import serve; from docfleet.runner.settings import runner_settings; "
    "serve(runner_settings())"
)


def eventually(condition: Callable[[], bool], within: float = 60.0) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def tree(pid: int) -> list[int]:
    found, pending = [], [pid]
    while pending:
        current = pending.pop()
        try:
            listing = [Path(f"/proc/{current}/task/{task}/children") for task in os.listdir(f"/proc/{current}/task")]
            children = [int(child) for path in listing for child in path.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        found += children
        pending += children
    return found


class Runner:
    """A runner process of its own, its storage, and a client."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.storage = folder / "storage"
        self.work = folder / "work"
        for path in (self.storage, self.work, folder / "registry"):
            path.mkdir(exist_ok=True)
        write_registry(folder / "registry")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.environment = {
            "PATH": os.environ["PATH"],
            # A changed copy of the tree comes first.
            "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(HERE)))),
            "RUNNER_API_KEY": KEY,
            "RUNNER_PORT": str(port),
            "RUNNER_WORK_DIR": str(self.work),
            "EXECUTION_STORAGE_ROOT": str(self.storage),
            "TOOL_REGISTRY_CONFIG_PATH": str(folder / "registry"),
            "DATABASE_URL": "postgresql://user:database-secret@host/db",
            "AWS_SECRET_ACCESS_KEY": "cloud-secret",
            **settings,
        }
        self.url = f"http://127.0.0.1:{port}"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {KEY}"
        self._count = 0
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", SERVE], env=self.environment)
        assert eventually(self.is_ready)

    def is_ready(self) -> bool:
        try:
            return self.session.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def close(self) -> None:
        self.session.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def folder(self, content: bytes = b"hello", steps: int = 0) -> str:
        self._count += 1
        name = f"org/workflow/execution-{os.getpid()}/file-{self._count}"
        path = self.storage / name
        path.mkdir(parents=True)
        (path / "SOURCE").write_bytes(content)
        (path / "INFILE").write_bytes(content)
        done = [{"tool_name": f"t{n}", "elapsed_time": 1.0, "output_type": "JSON"} for n in range(steps)]
        metadata = {
            "source_name": "a 'b'\n\"c\".txt", "organization_id": "org-1", "tool_metadata": done,
            "total_elapsed_time": 1.0 * steps, "kept": {"by": "us"},
        }  # fmt: skip
        (path / "METADATA.json").write_bytes(json.dumps(metadata, separators=(",", ":")).encode())
        return name

    def put(self, run_id: str, folder: str, wait: float = 30, **body: Any) -> requests.Response:
        request = {"tool_id": "probe", "folder": folder, "step": 1, **body}
        return self.session.put(f"{self.url}/v1/runs/{run_id}", params={"wait": wait}, json=request, timeout=60)

    def run(self, do: str = "ok", amount: int = 0, folder: str | None = None, **body: Any) -> dict[str, Any]:
        folder = folder or self.folder()
        body = {"settings": {"do": do, "amount": amount}, **body}
        answer = self.put(f"run-{self._count}-{do}", folder, **body)
        assert answer.status_code == 200, answer.text
        state: dict[str, Any] = answer.json()
        return state

    def result(self, folder: str) -> Any:
        return json.loads((self.storage / folder / "INFILE").read_bytes())

    def untouched(self, folder: str) -> bool:
        path = self.storage / folder
        entries = json.loads((path / "METADATA.json").read_bytes())["tool_metadata"]
        names = sorted(entry.name for entry in path.iterdir())
        return entries == [] and (path / "INFILE").read_bytes() == b"hello" and names == [
            "INFILE", "METADATA.json", "SOURCE",
        ]  # fmt: skip


def write_registry(folder: Path) -> None:
    programs = HERE / "programs"
    for tool_id, descriptor in {
        "probe": {"module": "probe.tool:tool"},
        "silent": {"module": "probe.tool:silent"},
        "stamp": {"command": [str(programs / "stamp.sh")]},
        "plain": {"command": [sys.executable, str(programs / "plain.py")]},
    }.items():
        (folder / f"{tool_id}.json").write_text(json.dumps({"tool_id": tool_id, **descriptor}))
