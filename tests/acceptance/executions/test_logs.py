"""The log of an execution on a whole Docfleet: told by the workers, written once, followed while it happens."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from docfleet.core.log_events import LogLevel, new_event_id
from tests.acceptance.fleet import DOCFLEET, Fleet, Run, Stage, fill, plain_environment
from tests.waiting import until

LEVEL = LogLevel.INFO


def texts(run: Run, level: LogLevel = LEVEL) -> list[str]:
    return [line.log for line in run.fleet.client.logs(run.id, level)]


def told(run: Run, *wanted: str) -> list[str]:
    """Its lines, once each of these is the beginning of one."""
    until(
        lambda: all(any(text.startswith(word) for text in texts(run)) for word in wanted),
        what=f"missing of {wanted}: {texts(run)}",
    )
    return texts(run)


def post(fleet: Fleet, run: Run, count: int, text: str) -> None:
    """Lines as the log consumer brings them."""
    events = [
        {
            "event_id": new_event_id(),
            "timestamp": time.time(),
            "execution_id": run.id,
            "organization_id": fleet.client.organization_id,
            "log": f"{number} {text}",
        }
        for number in range(count)
    ]
    request = urllib.request.Request(
        f"{fleet.addresses.backend_url}/internal/v1/logs/",
        data=json.dumps({"events": events}).encode(),
        headers={
            "Authorization": f"Bearer {fleet.addresses.key}",
            "X-Organization-ID": fleet.client.organization_id,
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["written"] == count


def metric(fleet: Fleet, name: str) -> float:
    request = urllib.request.Request(
        f"{fleet.addresses.backend_url}/metrics", headers={"Authorization": f"Bearer {fleet.addresses.key}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        (line,) = (line for line in answer.read().decode().splitlines() if line.startswith(f"{name} "))
    return float(line.split()[1])


def test_an_execution_logs_what_happened(embedded_fleet: Fleet, tmp_path: Path) -> None:
    source = fill(tmp_path / "in", {"good.txt": "text", "bad.txt": "crash"})
    run = embedded_fleet.run(source)
    found = told(
        run, "2 files found", "good.txt: started", "good.txt: delivered", "bad.txt: the tool", "Execution ended"
    )
    assert len(set(found)) == len(found), "a line is there twice"
    (bad,) = (file for file in run.files if file.name == "bad.txt")
    errors = list(embedded_fleet.client.logs(run.id, LogLevel.ERROR))
    assert [(line.log, line.file_execution_id) for line in errors] == [(f"bad.txt: {bad.error}", bad.file_execution_id)]
    (last,) = (text for text in found if text.startswith("Execution ended"))
    assert last == "Execution ended COMPLETED: 1 of 2 files succeeded, 1 failed"


def test_a_log_is_followed_while_it_happens(embedded_fleet: Fleet, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage")
    source = fill(tmp_path / "in", {"first.txt": "wait", "second.txt": "text"})
    run = embedded_fleet.begin(source, stage.tool)
    command = [*DOCFLEET, "executions", "logs", run.id, "--follow", "--json", "--data", str(embedded_fleet.data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=plain_environment()) as process:
        assert process.stdout is not None
        seen: list[dict[str, Any]] = []
        reader = threading.Thread(target=lambda: seen.extend(map(json.loads, process.stdout or ())))
        reader.start()
        try:
            stage.await_starts(1)
            until(lambda: any("first.txt: started" in line["log"] for line in seen), what="nothing is seen live")
            assert not any("first.txt: delivered" in line["log"] for line in seen) and process.poll() is None
            stage.open()
            run.wait()
            assert process.wait(60) == 0
        finally:
            process.kill()
            reader.join(20)
    numbers = [line["sequence"] for line in seen]
    assert numbers == sorted(set(numbers))
    followed = [line["log"] for line in seen]
    assert any(text.startswith("Execution ended COMPLETED: 2 of 2") for text in followed)
    assert any("first.txt: delivered" in text for text in followed) and sorted(followed) == sorted(texts(run))
    plain = subprocess.run(
        [*DOCFLEET, "executions", "logs", run.id, "--data", str(embedded_fleet.data)],
        capture_output=True,
        text=True,
        env=plain_environment(),
        check=True,
    ).stdout
    assert len(plain.splitlines()) == len(followed) and "  INFO   DESTINATION  first.txt: delivered" in plain


def test_a_reader_that_takes_nothing_slows_nobody_and_is_left(embedded_fleet: Fleet, tmp_path: Path) -> None:
    run = embedded_fleet.begin(fill(tmp_path / "in", {"a.txt": "wait"}), Stage(tmp_path / "stage").tool)
    url, headers = embedded_fleet.client.events_address(run.id, 0, LEVEL)
    before = metric(embedded_fleet, "docfleet_log_readers")
    lazy = _stubborn(url, headers)
    try:
        until(lambda: metric(embedded_fleet, "docfleet_log_readers") == before + 1, what="it was not let in")
        with connect(url, additional_headers=headers, max_size=2**26, proxy=None) as eager:
            arrived = 0
            for _ in range(8):
                post(embedded_fleet, run, 1000, "x" * 3500)
                while arrived < 1000:
                    arrived += sum(line["log"].endswith("xxx") for line in json.loads(eager.recv(30)).get("events", ()))
                arrived -= 1000
        left = lambda: metric(embedded_fleet, "docfleet_log_readers") <= before  # noqa: E731
        until(left, 60, what="who takes nothing still has its place")
    finally:
        lazy.close()
    (tmp_path / "stage" / "open").touch()
    run.wait()


def _stubborn(url: str, headers: dict[str, str]) -> socket.socket:
    """A WebSocket whose other end reads nothing but the handshake."""
    parts = urllib.parse.urlsplit(url)
    connection = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=20)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lines = [
        f"GET {parts.path}?{parts.query} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert b" 101 " in connection.recv(64)
    return connection


def test_no_secret_is_in_a_line(embedded_fleet: Fleet, tmp_path: Path) -> None:
    """A destination that cannot be reached names its URL in the error; the password in it is nobody's."""
    source = fill(tmp_path / "in", {"a.txt": "text"})
    into = {
        "connector": "postgresql",
        "settings": {"connection_url": "postgresql://me:hunter2-hunter2@127.0.0.1:1/none"},
        "table": "results",
    }
    run = embedded_fleet.run(source, destination=into)
    found = told(run, "Execution ended ERROR")
    told(run, "a.txt: ")
    assert not any("hunter2" in str(line) for line in embedded_fleet.client.logs(run.id)), found
    log = embedded_fleet.log("log_consumer")
    assert "a.txt" not in log, "the consumer's own log repeats what users are told"
