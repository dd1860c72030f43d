"""A child sees the hints that its parent counts, calls of an API and runs apart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from docfleet.workers.shared.infrastructure.process import slot_hints


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    slot_hints._hints, slot_hints._takes_api = None, True


def test_outside_of_a_worker_there_are_none() -> None:
    slot_hints.slot_wanted(None, is_api=True)
    assert slot_hints.hint_count() == (0, 0)


def test_runs_and_calls_are_counted_apart() -> None:
    slot_hints.watch_slots(takes_api=False)
    assert not slot_hints.takes_api()
    for is_api in (True, False, True):
        slot_hints.slot_wanted(None, is_api=is_api)
    slot_hints.slot_wanted(None)
    assert slot_hints.hint_count() == (2, 2)
