"""How a worker comes back to a broker that was away."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from docfleet.workers.shared.infrastructure.celery import intake
from docfleet.workers.shared.infrastructure.celery.intake import MessageRejected, accept_original, check
from tests.servers import free_port
from tests.unit.workers.log_lines import ORIGINAL


def message(body: Any, headers: Any) -> Any:
    return SimpleNamespace(
        headers=headers, properties={}, payload=body, body=json.dumps(body), _decoded_cache=body, delivery_info={}
    )


def test_only_a_log_line_may_come_in_the_original_s_form() -> None:
    body = {"args": [], "kwargs": {"event": "logs:c", "message": ORIGINAL}, "retries": 0, "utc": True}
    found = message(body, {"task": "logs_consumer"})
    accept_original(found)
    found.payload = found._decoded_cache
    check(found)
    assert found.payload[1]["message"] == ORIGINAL and found.headers["id"]
    for wrong in (
        message(body, {"task": "process_file_batch"}),
        message({**body, "kwargs": []}, {"task": "logs_consumer"}),
        message("text", {"task": "logs_consumer"}),
        message(body, {"task": "logs_consumer", "id": None}),
    ):
        accept_original(wrong)
        wrong.payload = wrong._decoded_cache
        with pytest.raises(MessageRejected):
            check(wrong)


def test_every_wait_for_a_broker_that_is_away_is_as_short(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda seconds: None)
    with Celery(broker=f"redis://127.0.0.1:{free_port()}/0", set_as_current=False) as app:
        app.conf.update(broker_connection_retry_on_startup=True, broker_connection_max_retries=4)
        # Without its blueprint, whose steps are what a connection is needed for.
        consumer = object.__new__(intake.StrictConsumer)
        consumer.app = app
        consumer.first_connection_attempt, consumer.broker_connection_retry_attempt = True, 0
        with caplog.at_level(logging.ERROR), pytest.raises(OperationalError):
            consumer.ensure_connected(app.connection_for_read())
    waits = [record.getMessage().partition("Trying again in ")[2].split()[0] for record in caplog.records]
    assert len(waits) == 4 and set(waits) == {f"{intake.RECONNECT_SECONDS:.2f}"}, waits
