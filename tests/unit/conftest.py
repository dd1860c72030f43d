"""Targets of notifications on the loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.notification_targets import Mailbox, Sink


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    yield box
    box.shutdown()
    box.server_close()
