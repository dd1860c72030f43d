"""The command that tells a worker of a stop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery.worker.control import Panel

from docfleet.core.names import STOP_EXECUTION
from docfleet.workers.shared.infrastructure.process import stop_hints


@pytest.fixture
def stop_command(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The command as the worker's mailbox calls it."""
    monkeypatch.setattr(stop_hints, "_stops", None)
    stop_hints.watch_stops()
    yield lambda execution_id: Panel.data[STOP_EXECUTION](None, execution_id=execution_id)
