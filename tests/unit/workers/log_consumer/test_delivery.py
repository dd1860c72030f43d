"""The log consumer: one call per organization, and a message goes back while the backend is away."""

from __future__ import annotations

from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from celery.exceptions import Reject

from docfleet.core.errors import BackendUnavailable, NotFound
from docfleet.core.log_events import LogEvent, LogsWritten
from docfleet.workers.log_consumer import delivery
from tests.unit.workers.log_lines import line


class Backend:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
        self.batches: list[tuple[str, list[LogEvent]]] = []
        made = self

        class Client:
            def __init__(self, transport: Any, organization_id: str) -> None:
                self.organization_id = organization_id

            def write(self, batch: Any) -> LogsWritten:
                if error is not None:
                    raise error
                made.batches.append((self.organization_id, batch.events))
                return LogsWritten(written=len(batch.events))

        monkeypatch.setattr(delivery, "LogClient", Client)
        monkeypatch.setattr(delivery, "_backend", lambda: None)


def test_a_message_is_one_call_an_organization(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Backend(monkeypatch)
    events = [line(str(number), organization="ab"[number % 2]).to_dict() for number in range(2500)]
    delivery.consume([*events, "strange", {"log": "nobody's"}], "c")
    assert [(name, len(batch)) for name, batch in backend.batches] == [("a", 1000), ("a", 250), ("b", 1000), ("b", 250)]


@pytest.mark.parametrize("error", [BackendUnavailable("away"), SoftTimeLimitExceeded()])
def test_a_backend_that_is_away_puts_the_message_back(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    Backend(monkeypatch, error)
    with pytest.raises(Reject) as rejected:
        delivery.consume([line().to_dict()], "c")
    assert rejected.value.requeue is True


def test_a_refusal_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    Backend(monkeypatch, NotFound("no such organization"))
    delivery.consume([line().to_dict()], "c")
