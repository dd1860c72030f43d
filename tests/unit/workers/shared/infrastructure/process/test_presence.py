"""A worker announces itself, its neighbours' ends and its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from docfleet.core.names import QueueName, WorkerType
from docfleet.core.presence import WorkerState
from docfleet.workers.shared.infrastructure.process import place, presence
from docfleet.workers.shared.infrastructure.process.presence import Presence, state_of
from docfleet.workers.shared.infrastructure.process.vitals import Vitals
from tests.unit.workers.shared.backend_double import BackendDouble, point_to, serving

BEAT, ENDED = "v1/workers/beat/", "v1/workers/ended/"


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[BackendDouble]:
    with serving(monkeypatch) as double:
        yield double


@pytest.fixture
def vitals() -> Vitals:
    return Vitals(["task"], 1)


def present(vitals: Vitals, seconds: float = 0.2) -> Presence:
    return Presence("n@h", WorkerType.CALLBACK, (QueueName.FILE_PROCESSING_CALLBACK,), 3, seconds, vitals)


class Life:
    """Alive for so many looks; ``then`` happens at each."""

    def __init__(self, *then: Any) -> None:
        self._then = list(then)

    def __call__(self) -> bool:
        if not self._then:
            return False
        happens = self._then.pop(0)
        if happens is not None:
            happens()
        return True


def test_it_announces_itself_before_anything_else_and_its_end_at_last(backend: BackendDouble, vitals: Vitals) -> None:
    present(vitals, 5.0).keep(Life(None))
    (path, organization, body), (last, _, end) = backend.told
    assert path == f"/internal/{BEAT}" and organization is None
    assert body == {
        "node": "n@h",
        "type": "callback",
        "queues": ["file_processing_callback"],
        "slots": 3,
        "state": "starting",
        "seconds": 5.0,
        "place": place.this_place(),
        "pid": os.getpid(),
        "started": place.started(os.getpid()),
    }
    assert last == f"/internal/{ENDED}" and end == {"nodes": ["n@h"]}


def test_it_beats_by_its_period_and_at_each_change(
    backend: BackendDouble, vitals: Vitals, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    turn = SimpleNamespace(monotonic=lambda: clock[0], sleep=lambda _: clock.__setitem__(0, clock[0] + 1.0))
    monkeypatch.setattr(presence, "time", turn)
    changes = [None, None, lambda: vitals.set(ready=1, unconnected_since=0), None, None, None, None, None]
    present(vitals, 5.0).keep(Life(*changes))
    assert [body["state"] for body in backend.bodies(BEAT)] == ["starting", "ready", "ready"]


def test_what_it_does_with_messages(vitals: Vitals) -> None:
    assert state_of(vitals) is WorkerState.STARTING
    vitals.set(ready=1, unconnected_since=0)
    assert state_of(vitals) is WorkerState.READY
    vitals.set(unconnected_since=7.0)
    assert state_of(vitals) is WorkerState.UNCONNECTED
    vitals.set(ending_since=8.0)
    assert state_of(vitals) is WorkerState.ENDING


def test_a_neighbour_whose_process_has_ended_is_reported_and_no_other(backend: BackendDouble, vitals: Vitals) -> None:
    with subprocess.Popen(["sleep", "60"]) as dead, subprocess.Popen(["sleep", "60"]) as living:
        neighbours = [
            {"node": name, "pid": process.pid, "started": place.started(process.pid)}
            for name, process in (("dead@h", dead), ("living@h", living))
        ]
        dead.kill()
        dead.wait()
        backend.answer[BEAT] = {"neighbours": neighbours}
        present(vitals, 60.0).keep(Life(None))
        living.kill()
    assert backend.bodies(ENDED) == [{"nodes": ["dead@h"]}, {"nodes": ["n@h"]}]


def test_a_backend_that_is_away_refuses_or_answers_nonsense_is_waited_for(
    backend: BackendDouble, vitals: Vitals, monkeypatch: pytest.MonkeyPatch
) -> None:
    announcing = present(vitals, 60.0)
    backend.status = 404
    announcing.keep(Life(None))
    backend.status, backend.answer[BEAT] = 200, "nonsense"
    announcing.keep(Life(None))
    point_to(monkeypatch, "http://127.0.0.1:1")
    announcing.keep(Life(None))
    assert len(backend.bodies(BEAT)) == 2


def test_an_end_that_cannot_be_reported_holds_nobody_up(
    backend: BackendDouble, vitals: Vitals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "GOODBYE_SECONDS", 0.2)
    backend.go_on.clear()
    began = time.monotonic()
    present(vitals).end()
    assert time.monotonic() - began < 15  # the backend hangs for 20 s
