"""The buffer of log lines is bounded: what is serious is kept, and what was dropped is counted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from docfleet.core.log_events import LogEvent, LogLevel
from docfleet.workers.shared.infrastructure.logging.buffer import LogBuffer
from tests.unit.workers.log_lines import line


def test_a_full_buffer_drops_info_before_warn_before_error_and_counts() -> None:
    buffer = LogBuffer(4)
    for text, level in (("i1", "INFO"), ("w1", "WARN"), ("i2", "INFO"), ("e1", "ERROR")):
        buffer.put(line(text, LogLevel(level)))
    buffer.put(line("e2", LogLevel.ERROR))  # i1 goes
    buffer.put(line("w2", LogLevel.WARN))  # i2 goes
    buffer.put(line("i3", LogLevel.INFO))  # no room for it
    buffer.put(line("e3", LogLevel.ERROR))  # w1 goes
    buffer.put(line("w3", LogLevel.WARN))  # w2 goes
    assert [event.log for event in buffer.take(10)] == ["e1", "e2", "e3", "w3"]
    assert buffer.take_dropped() == 5 and buffer.take_dropped() == 0 and len(buffer) == 0


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(LogLevel)), max_size=40), st.integers(1, 10), st.integers(1, 7))
def test_what_is_kept_is_the_most_serious_in_its_order(levels: list[LogLevel], limit: int, batch: int) -> None:
    buffer = LogBuffer(limit)
    for number, level in enumerate(levels):
        buffer.put(line(str(number), level))
    taken: list[LogEvent] = []
    while events := buffer.take(batch):
        taken += events
    numbers = [int(event.log) for event in taken]
    assert numbers == sorted(numbers) and len(numbers) == min(limit, len(levels))
    assert len(numbers) + buffer.take_dropped() == len(levels)
    kept = sorted(event.level.rank for event in taken)
    assert kept == sorted(level.rank for level in levels)[len(levels) - len(kept) :]


def test_what_could_not_be_sent_is_first_again() -> None:
    buffer = LogBuffer(10)
    for number in range(4):
        buffer.put(line(str(number), LogLevel.ERROR if number == 2 else LogLevel.INFO))
    buffer.put_back(buffer.take(3))
    assert sorted(event.log for event in buffer.take(10)) == ["0", "1", "2", "3"]
