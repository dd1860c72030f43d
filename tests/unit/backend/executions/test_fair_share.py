"""Fair shares: bars of latency, fairness and cost, counted in a simulated fleet; and that no batch goes round for ever.

The simulation runs the decisions of the backend and the measurements of the workers; only the broker, the clock and the
files are made up.
"""

from __future__ import annotations

import random
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docfleet.backend.executions import fair_share
from docfleet.backend.executions.fair_share import MESSAGE_SECONDS, Execution, Fleet, OrganizationShare, Policy
from docfleet.core.batch_calls import SlotUse
from tests.unit.backend.executions.fleet_simulation import Run, Simulation, jain, p95

SLOTS = 8
FILE_SECONDS = 0.3
FLOOD = 10_000
CALLS = 60


def files(chance: random.Random, number: int, mean: float = FILE_SECONDS) -> deque[float]:
    return deque(chance.uniform(0.5 * mean, 1.5 * mean) for _ in range(number))


def answer_times(*, workflows: int, is_api: bool = False, api_slots: int = 0, fair: bool = True) -> float:
    """p95 of executions of one file of B, while A has ``workflows`` with all in all 10,000 files, or none."""
    chance = random.Random(1)
    fleet = Simulation(SLOTS, api_slots=api_slots, fair=fair)
    for _ in range(workflows):
        fleet.submit(0.0, Run("A", files(chance, FLOOD // workflows), SLOTS))
    at, runs = 20.0, []
    for _ in range(CALLS):
        at += chance.uniform(1.0, 9.0)
        runs.append(fleet.submit(at, Run("B", files(chance, 1), 1, is_api=is_api, listing=0.05 if is_api else 0.2)))
    fleet.advance(at + 10.0)
    return p95(run.took for run in runs)


@pytest.mark.parametrize("workflows", [1, 100])
def test_one_file_beside_ten_thousand_takes_half_as_long_again_at_most(workflows: int) -> None:
    assert answer_times(workflows=workflows) <= 1.5 * answer_times(workflows=0)
    assert not answer_times(workflows=workflows, fair=False) <= 100.0, "without turns it waits for the other's end"


def test_a_call_beside_a_run_has_a_slot_of_its_own() -> None:
    assert answer_times(workflows=1, is_api=True, api_slots=1) <= 1.3 * answer_times(
        workflows=0, is_api=True, api_slots=1
    )


def test_a_call_without_a_slot_of_its_own_goes_before_the_run() -> None:
    assert answer_times(workflows=1, is_api=True) <= 1.5 * answer_times(workflows=0, is_api=True)


class Contest:
    """Ten organizations that all want the whole fleet, for five minutes after they have begun."""

    def __init__(self, slots: int, weights: dict[str, int] | None = None, *, unequal: bool = False) -> None:
        chance = random.Random(2)
        fleet = Simulation(slots, weights=weights)
        for number in range(10):
            mean = FILE_SECONDS * (1 + number % 3) if unequal else FILE_SECONDS
            workflows = 20 if unequal and number % 2 else 1
            planned = 1 if unequal and number % 4 == 0 else slots
            for _ in range(workflows):
                run = Run(f"o{number}", files(chance, 12_000 // workflows, mean), planned)
                fleet.submit(chance.uniform(0.0, 1.0), run)
        fleet.advance(20.0)
        before = dict(fleet.counts.worked)
        fleet.advance(320.0)
        worked = {name: seconds - before.get(name, 0.0) for name, seconds in fleet.counts.worked.items()}
        self.jain = jain(worked.get(f"o{n}", 0.0) / (weights or {}).get(f"o{n}", 1) for n in range(10))
        self.used = sum(worked.values()) / (slots * 300.0)


HALF_HEAVY = {f"o{number}": 3 for number in range(5)}


@pytest.mark.parametrize("weights", [None, HALF_HEAVY], ids=["equal weights", "weights 1:3"])
@pytest.mark.parametrize("slots", [2, 8])
def test_organizations_get_slots_by_weight_whatever_their_workflows(slots: int, weights: dict[str, int] | None) -> None:
    assert Contest(slots, weights).jain >= 0.95
    assert Contest(slots, weights, unequal=True).jain >= 0.95


def test_turns_cost_little() -> None:
    alone = Simulation(SLOTS)
    alone.submit(0.0, Run("A", files(random.Random(3), FLOOD), SLOTS))
    alone.advance(320.0)
    assert sum(alone.counts.worked.values()) / (SLOTS * 320.0) - Contest(SLOTS).used <= 0.02


def test_nothing_is_lost_and_everything_ends() -> None:
    chance = random.Random(4)
    fleet = Simulation(3, api_slots=1)
    runs = [
        fleet.submit(
            chance.uniform(0.0, 20.0),
            Run(f"o{n % 4}", files(chance, chance.randint(1, 200), 0.1), 3, is_api=n % 5 == 0),
        )
        for n in range(40)
    ]
    expected = sum(sum(run.seconds) for run in runs)
    fleet.advance()
    assert all(run.ended > run.submitted for run in runs) and not fleet.runs
    assert sum(fleet.counts.worked.values()) == pytest.approx(expected)


def test_messages_that_are_lost_keep_nobody_from_working() -> None:
    """B waits for ever, since its message is lost. Nobody goes round for that."""
    chance = random.Random(5)
    fleet = Simulation(2)
    fleet.submit(0.0, Run("A", files(chance, 1000), 4))
    fleet.advance(10.0)
    fleet.submit(10.0, Run("B", files(chance, 5), 1))
    fleet.advance(10.2)
    fleet.lose_message()
    before = sum(fleet.counts.worked.values())
    fleet.advance(70.0)
    assert fleet.counts.starts < 100, "a start for each quantum at most"
    assert sum(fleet.counts.worked.values()) - before >= 0.95 * 2 * 59.8


executions = st.builds(
    Execution,
    id=st.uuids().map(str),
    organization_id=st.sampled_from(["A", "B", "C"]),
    is_api=st.booleans(),
    running=st.integers(0, 4),
    sent=st.integers(0, 4),
    has_free_files=st.booleans(),
    progress_at=st.floats(0.0, 100.0),
)
organizations = st.fixed_dictionaries(
    dict.fromkeys("ABC", st.builds(OrganizationShare, weight=st.integers(1, 5), used=st.floats(0.0, 50.0)))
)


@settings(max_examples=300, deadline=None)
@given(st.lists(executions, min_size=1, max_size=8), organizations)
def test_somebody_who_waits_may_always_start(found: list[Execution], shares: dict[str, OrganizationShare]) -> None:
    """However the shares are, not everybody in the queue goes back to its end."""
    fleet = Fleet({execution.id: execution for execution in found}, shares, 100.0)
    waiting = [execution for execution in found if execution.waits]
    back = [fair_share.has_to_step_back(fleet, one, SlotUse(), Policy()) for one in waiting]
    assert not waiting or not all(back)


@settings(max_examples=300, deadline=None)
@given(st.lists(executions, min_size=1, max_size=8), organizations)
def test_a_batch_starts_when_the_queue_has_turned_round_without_progress(
    found: list[Execution], shares: dict[str, OrganizationShare]
) -> None:
    fleet = Fleet({execution.id: execution for execution in found}, shares, 100.0)
    later = 100.0 + MESSAGE_SECONDS
    assert not any(fair_share.has_to_step_back(fleet, one, SlotUse(yielded_at=later), Policy()) for one in found)


@settings(max_examples=300, deadline=None)
@given(st.lists(executions, min_size=1, max_size=8), organizations, st.booleans())
def test_nobody_yields_for_nobody_and_no_call_yields_to_a_run(
    found: list[Execution], shares: dict[str, OrganizationShare], takes_api: bool
) -> None:
    fleet = Fleet({execution.id: execution for execution in found}, shares, 100.0)
    use = SlotUse(seconds=1000.0, pages=1000, takes_api=takes_api)
    for mine in found:
        rivals = [one for one in found if one.id != mine.id and one.waits]
        useful = [one for one in rivals if (takes_api if one.is_api else not mine.is_api)]
        if not useful:
            assert not fair_share.has_to_yield(fleet, mine, use, Policy())
        if not mine.is_api and any(one.is_api for one in useful):
            assert fair_share.has_to_yield(fleet, mine, use, Policy())
