"""A notification is sent: providers that fail, and hosts that are away."""

from __future__ import annotations

from typing import Any

import pytest

from docfleet.core.notify import EventData, NotificationBatchClaim, NotificationEvent
from docfleet.workers.notification import sending
from docfleet.workers.notification.host_breaker import FAILURES_TO_OPEN
from tests.notification_targets import Sink


def test_a_provider_that_fails_in_an_unknown_way_reveals_no_secret(
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
