"""The poll of a chord without a native one: it waits longer each time, and ends with its execution."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any

import pytest

from docfleet.core.batch_calls import FinalizeResponse
from docfleet.core.errors import BackendUnavailable, NotFound
from docfleet.core.status import ExecutionStatus
from docfleet.workers.callback import chords
from docfleet.workers.callback.chords import ASK_AFTER_POLLS, MAX_WAIT_SECONDS, ChordPoll

EXECUTION = str(uuid.uuid4())
IDS = {"execution_id": EXECUTION, "organization_id": "org"}


class Chord:
    """A chord whose headers never end. ``answer`` is the backend's: a status, or an error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: ExecutionStatus | Exception) -> None:
        self.answer = answer
        self.asked = 0
        self.polled: list[float] = []
        self.sent: list[tuple[str, Any]] = []
        api = SimpleNamespace(executions=lambda organization_id: SimpleNamespace(finalize=self._finalize))
        monkeypatch.setattr(chords.WorkerExecutionContext, "bind", lambda *_: api)
        monkeypatch.setattr(chords, "maybe_signature", lambda callback, app: SimpleNamespace(delay=self._send))
        self._task = SimpleNamespace(request=SimpleNamespace(retries=0))
        app: Any = SimpleNamespace(conf=SimpleNamespace(result_expires=86_400, result_chord_retry_interval=1.0))
        self._poll = ChordPoll(app, self._task, lambda *_, interval: self.polled.append(interval))

    def poll(self, polls: int, kwargs: dict[str, Any] | None = None) -> None:
        self._task.request.retries = polls
        named = IDS if kwargs is None else kwargs
        self._poll("group", {"task": "process_batch_callback", "args": [], "kwargs": named})

    def _finalize(self, execution_id: str, _: Any) -> FinalizeResponse:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return FinalizeResponse(execution_id=execution_id, status=self.answer, finalized=False)

    def _send(self, results: Any) -> None:
        self.sent.append(("callback", results))


def test_a_chord_that_is_soon_done_costs_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    chord = Chord(monkeypatch, ExecutionStatus.EXECUTING)
    for polls in range(ASK_AFTER_POLLS):
        chord.poll(polls)
    assert (len(chord.polled), chord.asked) == (ASK_AFTER_POLLS, 0)


def test_waits_grow_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    chord = Chord(monkeypatch, ExecutionStatus.EXECUTING)
    for polls in (0, 1, 10, 100, 2000):
        chord.poll(polls)
    assert chord.polled == sorted(chord.polled)
    assert (chord.polled[0], chord.polled[-1]) == (1.0, MAX_WAIT_SECONDS)
    assert not chord.sent


def test_it_ends_with_its_execution_and_has_the_working_files_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    chord = Chord(monkeypatch, ExecutionStatus.COMPLETED)
    chord.poll(ASK_AFTER_POLLS)
    assert (chord.polled, chord.sent) == ([], [("callback", [])])


def test_it_ends_when_its_execution_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    chord = Chord(monkeypatch, NotFound("there is no such execution"))
    chord.poll(ASK_AFTER_POLLS)
    assert (chord.polled, chord.sent) == ([], [])


def test_a_backend_that_is_away_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chord = Chord(monkeypatch, BackendUnavailable("away"))
    chord.poll(ASK_AFTER_POLLS)
    assert len(chord.polled) == 1


def test_a_chord_of_nobody_ends_when_its_results_have_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    chord = Chord(monkeypatch, ExecutionStatus.EXECUTING)
    chord.poll(2000, {})
    assert (len(chord.polled), chord.asked) == (1, 0)
    chord.poll(4000, {})
    assert len(chord.polled) == 1
