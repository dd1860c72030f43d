"""Log lines are published in groups, and a broker that is away holds up no task."""

from __future__ import annotations

import threading
import time

import pytest

from docfleet.core.log_events import LogEvent, LogLevel
from docfleet.workers.shared.infrastructure.logging import publisher
from docfleet.workers.shared.infrastructure.logging.buffer import LogBuffer
from docfleet.workers.shared.infrastructure.logging.publisher import LogPublisher
from tests.unit.workers.log_lines import line
from tests.waiting import until

SECONDS = 20.0


class Broker:
    """Takes messages, or is away."""

    def __init__(self) -> None:
        self.messages: list[list[LogEvent]] = []
        self.away = False
        self.tries = 0
        self.hangs = threading.Event()
        self.hangs.set()

    def __call__(self, events: list[LogEvent]) -> None:
        self.tries += 1
        self.hangs.wait(SECONDS)
        if self.away:
            raise ConnectionError("away")
        self.messages.append(events)

    @property
    def texts(self) -> list[str]:
        return [event.log for message in self.messages for event in message]


def test_lines_go_by_fifties_and_soon() -> None:
    broker = Broker()
    publisher = LogPublisher(broker)
    for number in range(120):
        publisher.put(line(str(number)))
    until(lambda: len(broker.texts) == 120, SECONDS)
    assert broker.texts == [str(number) for number in range(120)]
    assert max(map(len, broker.messages)) == 50
    began = time.monotonic()
    publisher.put(line("alone"))
    until(lambda: "alone" in broker.texts, SECONDS)
    assert time.monotonic() - began < 15
    assert publisher.close(SECONDS)


def test_a_broker_that_hangs_or_is_away_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "FIRST_WAIT_SECONDS", 0.01)
    broker = Broker()
    carrier = LogPublisher(broker, LogBuffer(100))
    broker.hangs.clear()
    began = time.monotonic()
    for number in range(5000):
        carrier.put(line(str(number), LogLevel.ERROR if number == 3000 else LogLevel.INFO))
    carrier.flush()
    assert time.monotonic() - began < 15, "a task waited for the broker"
    assert not carrier.close(0.01)
    carrier = LogPublisher(broker, LogBuffer(100))
    broker.away = True
    broker.hangs.set()
    for number in range(300):
        carrier.put(line(str(number), LogLevel.ERROR if number == 30 else LogLevel.INFO))
    until(lambda: broker.tries > 3, SECONDS)
    assert broker.messages == []
    broker.away = False
    until(lambda: any("missing" in text for text in broker.texts), SECONDS)
    (told,) = (event for message in broker.messages for event in message if "missing" in event.log)
    assert told.level is LogLevel.WARN and told.execution_id == "e"
    kept = [text for text in broker.texts if text.isdigit()]
    assert int(told.log.split()[0]) == 300 - len(kept) and "30" in kept and len(kept) <= 100


def test_the_end_of_a_process_sends_what_is_left() -> None:
    broker = Broker()
    carrier = LogPublisher(broker)
    carrier.put(line("last"))
    assert carrier.close(SECONDS) and broker.texts == ["last"]
    assert LogPublisher(broker).close(0.1), "nothing was ever written, and somebody waited"
