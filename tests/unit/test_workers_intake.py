"""How a worker comes back to a broker that was away."""

from __future__ import annotations

import logging

import pytest
from celery import Celery
from kombu.exceptions import OperationalError
from servers import free_port

from docfleet.workers.shared.infrastructure.celery import intake


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
