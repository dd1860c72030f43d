"""Which ticks fire after downtimes and while a run is open."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docfleet.backend.schedules.decision import come_due, decide, due_at, next_after
from docfleet.backend.schedules.timetable import Timetable
from docfleet.core.schedule import CatchUpPolicy, OverlapPolicy, Schedule, TickOutcome
from tests.unit.backend.schedules.cron_walk import (
    AUTUMN,
    DAY,
    HOUR,
    LATE,
    PIPELINE,
    Stated,
    expressions,
    windows,
    zones,
)


@settings(max_examples=80, deadline=None)
@given(
    stated=expressions,
    window=windows(days=2),
    gaps=st.lists(
        st.one_of(st.integers(1, 90), st.integers(90, 600), st.integers(HOUR // 2, 8 * HOUR)), min_size=5, max_size=60
    ),
    catch_up=st.sampled_from(CatchUpPolicy),
    limit=st.integers(1, 5),
)
def test_what_fires_through_downtimes_is_what_the_policy_says(
    stated: Stated, window: tuple[str, int, int], gaps: list[int], catch_up: CatchUpPolicy, limit: int
) -> None:
    zone, start, end = window
    schedule = Schedule(
        cron=stated.text, time_zone=zone, overlap=OverlapPolicy.ALLOW, catch_up=catch_up, catch_up_limit=limit
    )
    timetable = Timetable(schedule.cron, zone)
    walked = stated.walk(zone, start, end)
    upcoming = next_after(timetable, schedule, PIPELINE, start - 1).tick_at
    last, fired, expected = float(start - 1), [], []
    for look in looks(start, end, gaps):
        if upcoming is not None and upcoming <= look:
            ticks, following = come_due(timetable, schedule, PIPELINE, upcoming, look)
            found = decide(schedule, PIPELINE, ticks, look, LATE, busy=False, queued=False)
            fired += [tick for tick, outcome in found if outcome is TickOutcome.FIRED]
            assert {outcome for _, outcome in found} <= {TickOutcome.FIRED, TickOutcome.MISSED}
            upcoming = following.tick_at
        due = [tick for tick in walked if last < tick <= look]
        fresh = [tick for tick in due if look - tick <= LATE]
        expected += {
            CatchUpPolicy.NONE: fresh,
            CatchUpPolicy.LATEST: fresh or due[-1:],
            CatchUpPolicy.ALL: due if due == fresh else due[-limit:],
        }[catch_up]
        last = look
    assert fired == expected


def looks(start: int, end: int, gaps: list[int]) -> Iterator[float]:
    """When somebody looks at the schedules: with these pauses."""
    look = float(start)
    for gap in gaps:
        look = min(look + gap, end - 60.0)
        yield look


@settings(max_examples=60, deadline=None)
@given(zone=zones, jitter=st.integers(1, 899), steps=st.lists(st.integers(1, 400), min_size=5, max_size=20))
def test_each_tick_fires_once_and_within_its_jitter(zone: str, jitter: int, steps: list[int]) -> None:
    schedule = Schedule(cron="*/15 * * * *", time_zone=zone, overlap=OverlapPolicy.ALLOW, jitter_seconds=jitter)
    timetable = Timetable(schedule.cron, zone)
    look, fired = float(AUTUMN), []
    upcoming = next_after(timetable, schedule, PIPELINE, look)
    for step in steps * 4:
        look += step
        assert upcoming.tick_at is not None and upcoming.run_at is not None
        if upcoming.run_at > look:
            continue
        ticks, upcoming = come_due(timetable, schedule, PIPELINE, upcoming.tick_at, look)
        assert ticks and all(tick <= due_at(schedule, PIPELINE, tick) <= look for tick in ticks)
        assert all(due_at(schedule, PIPELINE, tick) <= tick + jitter for tick in ticks)
        fired += ticks
    expected = list(islice(timetable.after(AUTUMN), len(fired)))
    assert fired == expected


def tick(number: int, now: int = 1_000_000) -> int:
    return now - 60 + number


@pytest.mark.parametrize(
    ("overlap", "busy", "queued", "outcomes"),
    [
        ("skip", False, False, ["fired"]),
        ("skip", True, False, ["skipped"]),
        ("queue_one", True, False, ["queued"]),
        ("queue_one", True, True, ["skipped"]),
        ("queue_one", False, True, ["skipped"]),
        ("allow", True, False, ["fired"]),
        ("skip", False, False, ["fired", "skipped", "skipped"]),
        ("queue_one", False, False, ["fired", "queued", "skipped"]),
        ("allow", True, False, ["fired", "fired", "fired"]),
    ],
)
def test_the_overlap_policy_decides_while_a_run_is_open(
    overlap: str, busy: bool, queued: bool, outcomes: list[str]
) -> None:
    schedule = Schedule(cron="* * * * *", overlap=OverlapPolicy(overlap))
    ticks = [tick(number) for number in range(len(outcomes))]
    found = decide(schedule, PIPELINE, ticks, 1_000_000, LATE, busy=busy, queued=queued)
    assert [outcome.value for _, outcome in found] == outcomes


@pytest.mark.parametrize("overlap", ["skip", "queue_one"])
def test_what_a_downtime_left_runs_one_after_the_other(overlap: str) -> None:
    schedule = Schedule(cron="* * * * *", catch_up=CatchUpPolicy.ALL, catch_up_limit=3, overlap=OverlapPolicy(overlap))
    ticks = [1_000_000 - 600 + 60 * number for number in range(5)]
    found = decide(schedule, PIPELINE, ticks, 1_000_000, LATE, busy=False, queued=False)
    assert [outcome.value for _, outcome in found] == ["missed", "missed", "fired", "queued", "queued"]


def test_of_a_year_away_the_newest_hundred_ticks_are_looked_at() -> None:
    schedule = Schedule(cron="* * * * *")
    timetable = Timetable(schedule.cron, "UTC")
    ticks, following = come_due(timetable, schedule, PIPELINE, AUTUMN - 365 * DAY, AUTUMN)
    assert ticks == list(range(AUTUMN - 99 * 60, AUTUMN + 60, 60)) and following.tick_at == AUTUMN + 60
