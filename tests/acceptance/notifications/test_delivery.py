"""Notifications of a whole fleet: real runs, real targets that fail in every way, workers that are killed."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.fleet import DOCFLEET, Fleet, fill, plain_environment
from tests.notification_targets import Mailbox, Sink
from tests.servers import free_port
from tests.waiting import until

SECRET = "whsec_" + "Zm9yLXRoaXMtdGVzdC1vbmx5LTAxMjM0NTY3ODk="
PATH = "/services/s3cret-of-the-channel"
SETTINGS = {
    "NOTIFICATION_ALLOWED_NETWORKS": "127.0.0.0/8",
    "NOTIFICATION_TIMEOUT_SECONDS": "4",
    "NOTIFICATION_LEASE_SECONDS": "8",
    "NOTIFICATION_BREAKER_SECONDS": "1",
    "OUTBOX_RETRY_SECONDS": "0.5",
    "OUTBOX_LONGEST_WAIT_SECONDS": "1",
    "TICK_INTERVAL_SECONDS": "1",
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("notifications")
    (folder / "faults").mkdir()
    made = Fleet(folder, {**SETTINGS, "DOCFLEET_FAULTS_FOLDER": str(folder / "faults")})
    yield made
    made.stop()


def docfleet(fleet: Fleet, *arguments: str) -> subprocess.CompletedProcess[str]:
    found = [*DOCFLEET, *arguments, "--data", str(fleet.data)]
    return subprocess.run(found, env=plain_environment(), capture_output=True, text=True, check=False)


def pipeline(fleet: Fleet, *notifications: dict[str, Any]) -> str:
    """A pipeline over an empty folder, as ``docfleet apply`` makes it; its name."""
    name = f"p{uuid.uuid4().hex[:10]}"
    source = fill(fleet.folder / name, {})
    document = {
        "workflow": {"name": name},
        "source": {"connector": "local", "settings": {"path": str(source)}},
        "tools": [{"tool": "actor"}],
        "destination": {"connector": "sqlite", "settings": {"path": f"{source}.db"}, "table": "results"},
        "pipeline": {"name": name, "notifications": list(notifications)},
    }
    file = fleet.folder / f"{name}.yaml"
    file.write_text(json.dumps(document))
    applied = docfleet(fleet, "apply", str(file))
    assert applied.returncode == 0, applied.stderr
    return name


def webhook(sink: Sink | str, name: str = "ops", **more: Any) -> dict[str, Any]:
    url = sink if isinstance(sink, str) else sink.url + PATH
    return {"name": name, "provider": "webhook", "settings": {"url": url, "signing_secret": SECRET}, **more}


def run(fleet: Fleet, name: str) -> str:
    return fleet.client.run_pipeline(fleet.client.pipeline(name).pipeline_id)


class Received:
    """What a target that honours the idempotency key has taken."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    @property
    def taken(self) -> dict[str, list[str]]:
        """The executions of each key, of the requests that were answered 2xx."""
        return {
            headers["idempotency-key"]: [event["execution_id"] for event in json.loads(body)["events"]]
            for (_, headers, body), status in zip(list(self.sink.got), list(self.sink.statuses), strict=False)
            if status == 200
        }

    @property
    def executions(self) -> Counter[str]:
        return Counter(execution for found in self.taken.values() for execution in found)


def arm(fleet: Fleet, text: str) -> None:
    draft = fleet.folder / "draft"
    draft.write_text(f"# {uuid.uuid4().hex}\n{text}\n")
    draft.replace(fleet.folder / "faults" / "armed")


def test_all_kinds_of_targets_are_notified_and_no_secret_is_written(fleet: Fleet, sink: Sink) -> None:
    box = Mailbox()
    mail = {"host": "127.0.0.1", "port": box.server_address[1], "security": "none"}
    name = pipeline(
        fleet,
        webhook(sink, events=["started", "completed"]),
        {"name": "chat", "provider": "slack", "settings": {"url": sink.url + PATH}},
        {"name": "team", "provider": "teams", "settings": {"url": sink.url + PATH}},
        {
            "name": "phone",
            "provider": "sms",
            "settings": {
                "url": sink.url,
                "account_sid": "AC1",
                "auth_token": "t0ken-of-the-account",
                "sender": "+491",
                "recipient": "+492",
            },
        },
        {"name": "mail", "provider": "email", "settings": {**mail, "sender": "a@b.c", "recipients": ["d@e.f"]}},
        {"name": "log", "provider": "console"},
        webhook(sink, "failures", notify_on_failures=True),
    )
    again = docfleet(fleet, "apply", str(fleet.folder / f"{name}.yaml"))
    assert again.stdout.count("unchanged") == 2 + 7, again.stdout
    execution = run(fleet, name)
    until(lambda: len(sink.got) >= 5 and box.mails, what=f"only {len(sink.got)} requests came")
    until(lambda: execution in fleet.log("notification"), what="the console said nothing")
    until(lambda: not fleet.client.notification_events("waiting") + fleet.client.notification_events("sending"))
    # One whose answer was late comes again, under the same key.
    bodies = {headers.get("idempotency-key", body): body.decode() for _, headers, body in sink.got}.values()
    told = [json.loads(body) for body in bodies if body.startswith("{") and "summary" in body]
    assert sorted(body["status"] for body in told) == ["INPROGRESS", "SUCCESS"]
    assert all(body["execution_id"] == execution for body in told) and len(bodies) == 5
    box.shutdown()
    box.server_close()
    for path in fleet.data.rglob("*"):
        if path.is_file() and "keys" not in path.name:
            content = path.read_bytes()
            for secret in (PATH, SECRET, "t0ken-of-the-account"):
                assert secret.encode() not in content, f"{secret} is in {path}"


def test_targets_that_fail_delay_their_own_events_only(fleet: Fleet, sink: Sink) -> None:
    over = threading.Event()
    broken, hanging = Sink(), Sink()
    broken.answer = lambda handler: handler.reply(200 if over.is_set() else 500)

    def hang(handler: Any) -> None:
        if not over.is_set():
            over.wait(20)
            return
        handler.reply(200)

    hanging.answer = hang
    port = free_port()
    names = {
        "broken": pipeline(fleet, webhook(broken, max_attempts=50)),
        "hanging": pipeline(fleet, webhook(hanging, max_attempts=50)),
        "refused": pipeline(fleet, webhook(f"http://127.0.0.1:{port}/", max_attempts=50)),
        "healthy": pipeline(fleet, webhook(sink)),
    }
    runs: dict[str, list[str]] = {kind: [] for kind in names}
    for _ in range(4):
        for kind in ("broken", "hanging", "refused"):
            runs[kind].append(run(fleet, names[kind]))
    until(lambda: broken.got and hanging.got, what="nobody tried")
    since = time.monotonic()
    delays = []
    for _ in range(6):
        began = time.monotonic()
        runs["healthy"].append(run(fleet, names["healthy"]))
        until(lambda: len(sink.got) == len(runs["healthy"]), what="the healthy target waits for the others")
        delays.append(time.monotonic() - began)
    print(f"healthy target, run to told: {sorted(delays)}")
    time.sleep(max(0.0, 5 - sum(delays)))  # long enough for the breaker to open, probe and open again
    tried, seconds = len(broken.got), time.monotonic() - since
    assert tried < 20 + 2 * seconds, f"{tried} requests in {seconds:.0f} s to a target that answers 500"
    over.set()
    refused = Sink(port)
    for kind, target in (("broken", broken), ("hanging", hanging), ("refused", refused), ("healthy", sink)):
        received = Received(target)
        until(lambda: len(received.executions) == 4 + 2 * (kind == "healthy"), what=f"{kind} lacks events")  # noqa: B023
        assert received.executions == Counter(runs[kind]), f"{kind}: lost or doubled"
    for target in (broken, hanging, refused):
        target.close()


@pytest.mark.parametrize(
    ("point", "action"),
    [
        ("notification.claimed", "kill_group"),
        ("notification.sent", "kill"),
        ("notification.sent", "kill_group"),
        ("notification.before_report", "kill"),
    ],
)
def test_a_worker_that_is_killed_loses_and_doubles_nothing(fleet: Fleet, sink: Sink, point: str, action: str) -> None:
    name = pipeline(fleet, webhook(sink, f"ops-{action}"))
    arm(fleet, f"{point}(ops-{action})={action}@1")
    runs = [run(fleet, name) for _ in range(2)]
    received = Received(sink)
    until(lambda: len(received.executions) == 2, 60, what=f"{dict(received.executions)} of {runs} came")
    assert list((fleet.folder / "faults").glob(f"{point}.*")), "nobody was killed"
    events = lambda: [e for e in fleet.client.notification_events() if e.execution_id in runs]  # noqa: E731
    until(lambda: [e.status for e in events()] == ["delivered"] * 2, 60, what=f"{events()}")
    assert received.executions == Counter(runs), "a repeat had another key"
    (fleet.folder / "faults" / "armed").unlink()


def test_a_dead_event_is_seen_and_sent_again(fleet: Fleet, sink: Sink) -> None:
    sink.answer = lambda handler: handler.reply(410)
    name = pipeline(fleet, webhook(sink, "gone"))
    execution = run(fleet, name)
    until(lambda: fleet.client.notification_events("dead"), what="it is not dead")
    assert len(sink.got) == 1, "a refusal is final"
    listed = docfleet(fleet, "notifications", "list", "--dead")
    assert "answered 410" in listed.stdout and PATH not in listed.stdout
    tested = docfleet(fleet, "notifications", "test", f"{name}/gone")
    assert tested.returncode == 1 and "410" in tested.stderr
    sink.answer = lambda handler: handler.reply(200)
    event = next(e for e in fleet.client.notification_events("dead") if e.execution_id == execution)
    assert "1 event will be sent again" in docfleet(fleet, "notifications", "resend", event.event_id).stdout
    until(lambda: execution in Received(sink).executions, what="it was not sent again")
    first, last = sink.got[0][1]["idempotency-key"], sink.got[-1][1]["idempotency-key"]
    assert first == last
    assert docfleet(fleet, "notifications", "test", f"{name}/gone").stdout == f"{name}/gone: delivered\n"
    assert f"{name}/gone" in docfleet(fleet, "notifications", "list").stdout
    assert "is deleted" in docfleet(fleet, "notifications", "delete", f"{name}/gone").stdout
    assert f"{name}/gone" not in docfleet(fleet, "notifications", "list").stdout
    assert docfleet(fleet, "notifications", "delete", f"{name}/gone").returncode == 1


def test_a_wrong_notification_is_named_with_its_line(fleet: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "workflow: {name: wrong}\n"
        f"source: {{connector: local, settings: {{path: {tmp_path}}}}}\n"
        "tools: [{tool: actor}]\n"
        f"destination: {{connector: sqlite, settings: {{path: {tmp_path}/o.db}}, table: t}}\n"
        "pipeline:\n  name: wrong\n  notifications:\n    - name: ops\n      provider: pigeon\n"
    )
    answer = docfleet(fleet, "apply", str(file))
    assert answer.returncode == 1 and "line 9" in answer.stderr and "pigeon" in answer.stderr, answer.stderr
    file.write_text(file.read_text().replace("provider: pigeon", "provider: console\n      colour: red"))
    answer = docfleet(fleet, "apply", str(file))
    assert answer.returncode == 1 and "line 10" in answer.stderr and "colour" in answer.stderr, answer.stderr
    # Of several it is said which one, and the line is one of its own.
    first = "    - {name: first, provider: webhook, settings: {url: 'https://x/'}}\n"
    file.write_text(
        file.read_text().replace("    - name: ops", first + "    - name: ops").replace("console", "webhook")
    )
    file.write_text(file.read_text().replace("colour: red", "settings: {url: ftp://x/}"))
    answer = docfleet(fleet, "apply", str(file))
    assert answer.returncode == 1 and "line 9: notification ops: url has to begin" in answer.stderr, answer.stderr


def test_what_the_file_no_longer_names_stays_and_is_reported(fleet: Fleet) -> None:
    ops, gone = {"name": "ops", "provider": "console", "events": ["failed"]}, {"name": "gone", "provider": "console"}
    name = pipeline(fleet, ops, gone)
    file = fleet.folder / f"{name}.yaml"
    assert "!" not in docfleet(fleet, "apply", str(file)).stdout
    document = json.loads(file.read_text())
    document["pipeline"] = {
        "name": f"{name}-2",
        "schedule": {"cron": "0 3 1 1 *"},
        "notifications": [{"name": "ops", "provider": "console"}],
    }
    file.write_text(json.dumps(document))
    told = docfleet(fleet, "apply", str(file)).stdout
    assert (
        f"! pipeline {name}: of this workflow, not in the file: it stays (`docfleet pipelines delete {name}` takes"
        in told
    )
    document["pipeline"]["name"] = name
    file.write_text(json.dumps(document))
    told = docfleet(fleet, "apply", str(file), "--dry-run").stdout
    assert f"! pipeline {name}-2: of this workflow, not in the file: it stays, and it runs by its schedule" in told
    assert f"! notification gone: not in the file: it stays (`docfleet notifications delete {name}/gone` takes" in told
    assert "~ notification ops: would change: events\n    + - completed\n" in told, told
    assert os.getpid()
