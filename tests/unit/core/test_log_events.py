"""Log lines on the wire: the original's form, and payloads that are too large or too strange."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from docfleet.core.log_events import MAX_EVENT_BYTES, LogLevel, read_event
from tests.unit.workers.log_lines import ORIGINAL, line


def test_the_original_s_payloads_are_understood() -> None:
    event = read_event(ORIGINAL, "channel")
    assert event is not None and event.channel == "channel"
    assert (event.log, event.level, event.iteration_total) == ("a line", LogLevel.WARN, 3)
    again = read_event(json.loads(json.dumps(ORIGINAL)), "channel")
    assert again is not None and again.event_id == event.event_id
    other = read_event(ORIGINAL | {"timestamp": 1700000000.26})
    assert other is not None and other.event_id != event.event_id
    progress = read_event(ORIGINAL | {"type": "PROGRESS", "service": "prompt", "component": {"a": 1}, "message": "m"})
    assert progress is not None and progress.details == {"service": "prompt"} and "a" in progress.component
    ours = line("ours")
    assert read_event(ours.to_dict()) == ours
    for missing in ("execution_id", "organization_id", "timestamp"):
        assert read_event(ORIGINAL | {missing: None}) is None
    for strange in (None, [], "text", ORIGINAL | {"timestamp": "soon"}, ORIGINAL | {"timestamp": True}):
        assert read_event(strange) is None
    strange = read_event(ORIGINAL | {"step": {"a": []}, "log": 5, "level": ["x"], "big": "z" * MAX_EVENT_BYTES})
    assert strange is not None and strange.step is None and strange.details == {}


@pytest.mark.parametrize("organization", ["a\r\nX-Other: b", " a", "a\0b", "\u4e2d\u6587", "a" * 101, ""])
def test_a_line_of_an_organization_that_no_call_can_name_goes_nowhere(organization: str) -> None:
    """A call that cannot be made looks like a backend that is away: the message would come back for ever."""
    assert read_event(ORIGINAL | {"organization_id": organization}) is None


def test_half_a_character_costs_itself_and_not_the_line() -> None:
    for payload in (line("\udcff.pdf: begun").to_dict(), ORIGINAL | {"log": "\udcff.pdf: begun", "x": ["\ud800"]}):
        event = read_event(payload)
        assert event is not None and event.log == "?.pdf: begun" and read_event(payload) == event


def test_an_id_that_the_table_would_change_is_not_taken() -> None:
    """It would not be known again, and its repeat would take the whole batch with it."""
    event = read_event(ORIGINAL | {"event_id": "a\0b"})
    assert event is not None and event.event_id.isalnum()
    assert read_event(ORIGINAL | {"event_id": "a\0b"}) == event


def test_an_event_that_stays_too_large_is_none() -> None:
    """A batch that the backend refuses for its size takes a thousand others with it."""
    assert read_event(ORIGINAL | {"execution_id": "e" * 200_000}) is None
    whole = dict.fromkeys(("stage", "log", "state", "message", "component"), "\1" * 10_000)
    assert read_event(ORIGINAL | whole) is not None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*ORIGINAL, "event_id", "component", "state", "details", "x"]), json_values))
def test_no_payload_is_too_strange(payload: dict[str, Any]) -> None:
    event = read_event({**ORIGINAL, **payload})
    if event is not None:
        assert read_event(event.to_dict()) is not None
