"""Hints: at once for a run, once for many, and for a call only while it waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from docfleet.backend.executions import slot_hints
from docfleet.backend.executions.slot_hints import SlotHints


class Recorder:
    """A dispatcher's double that keeps the broadcasts."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def broadcast(self, command: str, arguments: dict[str, Any]) -> None:
        self.told.append((command, arguments))


def settled(hints: SlotHints) -> None:
    deadline = time.monotonic() + 30
    while hints._timers and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not hints._timers


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, list[bool], bool], list[Any]]:
    """The broadcasts for hints that come in a row."""

    def told(times: int, kinds: list[bool], waits: bool) -> list[Any]:
        monkeypatch.setattr(slot_hints, "RUN_SECONDS", 1.0)
        recorder: Any = Recorder()
        hints = SlotHints(recorder, lambda: waits)
        for _ in range(times):
            for is_api in kinds:
                hints.send(is_api=is_api)
        settled(hints)
        return [arguments["is_api"] for _, arguments in recorder.told]

    return told


def test_runs_that_start_together_are_hinted_at_once_and_once_more_at_the_end(told: Any) -> None:
    assert told(1, [False], False) == [False]
    assert told(20, [False], False) == [False, False]


def test_a_call_that_has_its_slot_is_not_hinted_at(told: Any) -> None:
    assert told(5, [True], False) == []
    assert told(5, [True], True) == [True]


def test_calls_and_runs_do_not_hide_each_other(told: Any) -> None:
    assert sorted(told(5, [True, False], True)) == [False, False, True]


def test_nothing_is_sent_after_the_end() -> None:
    recorder: Any = Recorder()
    hints = SlotHints(recorder, lambda: True)
    hints.send(is_api=True)
    hints.stop()
    hints.send(is_api=False)
    assert recorder.told == []
