"""The original's notification messages are sent as they are."""

from __future__ import annotations

from typing import Any

import pytest

from docfleet.providers.base import TargetRejected, TargetUnavailable
from docfleet.workers.notification import sending, tasks
from tests.notification_targets import Sink


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
def test_the_original_s_message_fails_loudly_where_it_is_meant_to(
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
