"""The server as a process: over real HTTP, on SQLite, with a real broker where there is one."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.fernet import Fernet

from tests.servers import free_port

KEY = "0123456789abcdef0123456789abcdef"
SERVE = """
from docfleet.backend.settings import BackendSettings
from docfleet.backend.app import serve
serve(BackendSettings.read())
"""


class Server:
    def __init__(self, folder: Path, broker_url: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        settings = {
            "DATABASE_URL": f"sqlite:///{folder / 'data' / 'docfleet.db'}",
            "INTERNAL_SERVICE_API_KEY": KEY,
            "ENCRYPTION_KEY": Fernet.generate_key().decode(),
            "CELERY_BROKER_BASE_URL": broker_url,
            "BACKEND_PORT": str(port),
            "LOG_FORMAT": "json",
            "EXECUTION_STORAGE_ROOT": str(folder / "storage"),
            "PATH": os.environ["PATH"],
        }
        self.out, self.err = folder / "out", folder / "err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", SERVE], env=settings, stdout=out, stderr=err
            )
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"Authorization": f"Bearer {KEY}", "X-Organization-ID": "default"})
        self._await_ready()

    def _await_ready(self) -> None:
        end = time.monotonic() + 90
        while time.monotonic() < end:
            assert self.process.poll() is None, self.err.read_text()
            try:
                if self.session.get(f"{self.url}/readyz", timeout=2).ok:
                    return
            except requests.RequestException:
                time.sleep(0.02)
        raise AssertionError("not ready")

    def post(self, path: str, body: Any) -> Any:
        answer = requests.post(self.url + path, json=body, headers=dict(self.session.headers), timeout=30)
        assert answer.ok, answer.text
        return answer.json()


@pytest.fixture
def server(tmp_path: Path, redis_broker: str) -> Iterator[Server]:
    server = Server(tmp_path, redis_broker)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()
        server.session.close()


def test_a_complete_run_over_http_by_workers_in_parallel(server: Server, tmp_path: Path, redis_broker: str) -> None:
    put = server.session.put
    assert put(f"{server.url}/api/v1/organizations/default", json={"name": "Default"}).ok
    spec = {
        "name": "w",
        "source": {"connector": "local", "settings": {"path": str(tmp_path)}},
        "tools": [{"tool": "passthrough"}],
        "destination": {"connector": "sqlite", "settings": {"path": str(tmp_path / "o.db")}},
    }
    workflow = put(f"{server.url}/api/v1/workflows", json=spec).json()["workflow_id"]
    run = server.post(f"/api/v1/workflows/{workflow}/executions", {})["execution_id"]
    path = f"/internal/v1/workflow-execution/{run}"
    files = [{"file_name": f"{n}", "file_path": f"{n}"} for n in range(300)]
    server.post(f"{path}/files/register/", {"page": 1, "files": files})
    server.post(f"{path}/start/", {"batch_count": 4})
    taken: list[str] = []
    failures: list[BaseException] = []

    def work(index: int) -> None:
        try:
            claim = {"owner": f"w{index}", "lease_seconds": 60, "limit": 25, "batch_index": index, "batch_count": 4}
            held = server.post(f"{path}/files/claim/", claim).get("claims", [])
            while held:
                taken.extend(one["file_execution_id"] for one in held)
                outcomes = [
                    {"file_execution_id": one["file_execution_id"], "attempt": one["attempt"], "status": "COMPLETED"}
                    for one in held
                ]
                report = {"owner": f"w{index}", "lease_seconds": 60, "outcomes": outcomes, "claim": claim}
                answer = server.post(f"{path}/files/report/", report)
                assert answer["written"] == len(held)
                held = answer["claim"].get("claims", [])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(taken) == len(set(taken)) == 300
    state = server.session.get(f"{server.url}/api/v1/executions/{run}").json()
    assert (state["execution"]["status"], state["execution"]["successful_files"]) == ("COMPLETED", 300)
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(60)
    assert server.out.read_text() == ""
    lines = [json.loads(line) for line in server.err.read_text().splitlines()]
    assert {"backend.starting", "task.sent", "execution.finalized"} <= {line["event"] for line in lines}
    assert not any(line["level"] in ("error", "warning") for line in lines)
    assert KEY not in server.err.read_text()


class CalledServer:
    """An API on the server, and the worker's part of its runs."""

    def __init__(self, server: Server) -> None:
        self.server = server
        put = server.session.put
        put(f"{server.url}/api/v1/organizations/default", json={})
        ends = {"source": {"connector": "api"}, "destination": {"connector": "api"}}
        put(f"{server.url}/api/v1/workflows", json={"name": "w", "tools": [{"tool": "passthrough"}], **ends})
        self.url = put(f"{server.url}/api/v1/deployments", json={"api_name": "a", "workflow": "w"}).json()["url"]
        key = server.post("/api/v1/keys", {"scope": "deployment", "target": "a", "name": "k"})["key"]
        self.headers = {"Authorization": f"Bearer {key}"}

    def running(self) -> str:
        """The id of the execution, as soon as there is one."""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            found = self.server.session.get(f"{self.server.url}/api/v1/executions").json()["executions"]
            if found:
                return str(found[0]["id"])
            time.sleep(0.01)
        raise AssertionError("no execution")

    def work(self, run: str) -> None:
        path = f"/internal/v1/workflow-execution/{run}"
        self.server.post(f"{path}/files/register/", {"page": 1, "files": [{"file_name": "a", "file_path": "a"}]})
        self.server.post(f"{path}/finalize/", {"error": "x"})

    def poll(self, run: str) -> requests.Response:
        return requests.get(self.url, params={"execution_id": run}, headers=self.headers, timeout=30)


def test_a_caller_who_goes_away_loses_nothing(server: Server) -> None:
    api = CalledServer(server)
    body = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nhi\r\n'
        b'--x\r\nContent-Disposition: form-data; name="timeout"\r\n\r\n60\r\n--x--\r\n'
    )
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as caller:
        head = (
            f"POST /deployment/api/default/a/ HTTP/1.1\r\nHost: x\r\nAuthorization: {api.headers['Authorization']}\r\n"
            f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        caller.sendall(head.encode() + body)
        run = api.running()
    end = time.monotonic() + 10
    while api.poll(run).json()["status"] != "PENDING" and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.1)  # the server notices the closed connection
    api.work(run)
    assert api.poll(run).status_code == 422 and api.poll(run).status_code == 406


def test_a_large_upload_is_not_held_in_memory(server: Server) -> None:
    api = CalledServer(server)

    def kilobytes() -> int:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))

    def body(megabytes: int) -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        for _ in range(megabytes):
            yield bytes(1024 * 1024)
        yield b"\r\n--x--\r\n"

    def send(megabytes: int) -> int:
        headers = {**api.headers, "Content-Type": "multipart/form-data; boundary=x"}
        return requests.post(api.url, data=body(megabytes), headers=headers, timeout=60).status_code

    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc to read the memory from")
    assert send(1) == 200
    before = kilobytes()
    assert send(90) == 200
    assert kilobytes() - before < 30 * 1024


def test_a_server_killed_midway_loses_nothing_that_it_answered(tmp_path: Path, redis_broker: str) -> None:
    first = Server(tmp_path, redis_broker)
    organization = first.session.put(f"{first.url}/api/v1/organizations/default", json={})
    assert organization.json()["created"] is True
    first.process.kill()
    first.process.wait()
    first.session.close()
    second = Server(tmp_path, redis_broker)
    try:
        organization = second.session.put(f"{second.url}/api/v1/organizations/default", json={})
        assert organization.json()["created"] is False
    finally:
        second.process.kill()
        second.process.wait()
        second.session.close()
