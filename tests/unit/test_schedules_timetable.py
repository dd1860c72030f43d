"""When schedules run: compared with a calculation that walks over every minute and knows nothing of cron libraries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from docfleet.backend.schedules.decision import come_due, decide, due_at, next_after
from docfleet.backend.schedules.timetable import Timetable
from docfleet.core.errors import InvalidInput
from docfleet.core.schedule import CatchUpPolicy, OverlapPolicy, Schedule, TickOutcome

HOUR = 3600
DAY = 24 * HOUR
LATE = 120.0
PIPELINE = "7b8a2f9e-0000-4000-8000-000000000000"
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour
    "Antarctica/Troll",  # two hours
    "America/Havana",  # at midnight
    "Asia/Beirut",
    "Africa/Casablanca",  # back and forth around Ramadan
    "America/Nuuk",
    "Pacific/Chatham",
    "Asia/Kathmandu",
    "UTC",
)
Field = tuple[str, frozenset[int]]
"""A field as cron writes it, and the numbers it means."""


@cache
def changes(zone: str) -> list[int]:
    """Instants of the years 2024 to 2027 at which the clock is changed, and one at which it is not."""
    found = [int(datetime(2025, 6, 15, tzinfo=UTC).timestamp())]
    start = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
    offsets = [
        (at, datetime.fromtimestamp(at, ZoneInfo(zone)).utcoffset()) for at in range(start, start + 4 * 365 * DAY, HOUR)
    ]
    return found + [later[0] for earlier, later in pairwise(offsets) if earlier[1] != later[1]]


def some(low: int, high: int) -> st.SearchStrategy[Field]:
    found = st.sets(st.integers(low, high), min_size=1, max_size=4)
    return found.map(lambda numbers: (",".join(map(str, sorted(numbers))), frozenset(numbers)))


def any_of(low: int, high: int) -> st.SearchStrategy[Field]:
    every = ("*", frozenset(range(low, high + 1)))
    steps = st.integers(2, 20).map(lambda step: (f"*/{step}", frozenset(range(low, high + 1, step))))
    return st.one_of(st.just(every), some(low, high), some(low, high), steps)


class Stated:
    """A cron expression of known meaning."""

    def __init__(self, minute: Field, hour: Field, day: Field, month: Field, weekday: Field) -> None:
        self.fields = (minute, hour, day, month, weekday)
        self.text = " ".join(text for text, _ in self.fields)
        self.every_hour = len(hour[1]) == 24

    def __repr__(self) -> str:
        return self.text

    def matches(self, time: datetime) -> bool:
        (_, minutes), (_, hours), (day, days), (_, months), (weekday, weekdays) = self.fields
        if time.minute not in minutes or time.hour not in hours or time.month not in months:
            return False
        on = (time.day in days, time.isoweekday() % 7 in weekdays)
        return all(on) if day.startswith("*") or weekday.startswith("*") else any(on)

    def walk(self, zone: str, start: int, end: int) -> list[int]:
        """Its runs in ``[start, end)``, minute by minute."""
        found = []
        before = wall(zone, start - 60)
        for instant in range(start, end, 60):
            time = wall(zone, instant)
            plain = time.replace(fold=0)
            skipped = before.replace(fold=0) + timedelta(minutes=1)
            runs = self.matches(plain) and (self.every_hour or not time.fold)
            while not self.every_hour and not runs and skipped < plain:
                runs = self.matches(skipped)
                skipped += timedelta(minutes=1)
            if runs:
                found.append(instant)
            before = time
        return found


def wall(zone: str, instant: int) -> datetime:
    return datetime.fromtimestamp(instant, ZoneInfo(zone)).replace(tzinfo=None)


ANY_DAY = (("*", frozenset(range(1, 32))), ("*", frozenset(range(1, 13))), ("*", frozenset(range(7))))
expressions = st.one_of(
    st.builds(Stated, any_of(0, 59), any_of(0, 23), *map(st.just, ANY_DAY)),
    st.builds(Stated, any_of(0, 59), any_of(0, 23), any_of(1, 31), any_of(1, 12), any_of(0, 6)),
    st.builds(Stated, any_of(0, 59), some(0, 4), *map(st.just, ANY_DAY)),
)
zones = st.sampled_from(ZONES)


@st.composite
def windows(draw: st.DrawFn, days: int = 3) -> tuple[str, int, int]:
    """A zone and some days, mostly around a change of its clock."""
    zone = draw(zones)
    change = draw(st.sampled_from(changes(zone)))
    start = change - draw(st.integers(0, days * 24 * 60)) * 60
    return zone, start, start + days * DAY


HALF_PAST_TWO = Stated(("30", frozenset({30})), ("2", frozenset({2})), *ANY_DAY)
QUARTERS = Stated(("*/15", frozenset({0, 15, 30, 45})), ("*", frozenset(range(24))), *ANY_DAY)
SPRING, AUTUMN = (int(datetime(2026, *day, tzinfo=UTC).timestamp()) for day in ((3, 28), (10, 24)))


@settings(max_examples=120, deadline=None)
@given(expressions, windows(), st.integers(0, 59))
@example(HALF_PAST_TWO, ("Europe/Berlin", SPRING, SPRING + 3 * DAY), 0)
@example(HALF_PAST_TWO, ("Europe/Berlin", AUTUMN, AUTUMN + 3 * DAY), 0)
@example(QUARTERS, ("Australia/Lord_Howe", AUTUMN - 21 * DAY, AUTUMN - 18 * DAY), 0)
@example(HALF_PAST_TWO, ("Pacific/Apia", 1325066400, 1325066400 + 3 * DAY), 0)  # a day that never was
def test_the_runs_are_those_of_a_walk_over_every_minute(stated: Stated, window: tuple[str, int, int], odd: int) -> None:
    zone, start, end = window
    timetable = Timetable(stated.text, zone)
    expected = stated.walk(zone, start, end)
    assert list(takewhile(lambda run: run < end, timetable.after(start - 60 + odd))) == expected
    assert list(takewhile(lambda run: run >= start, timetable.until(end - 60 + odd))) == expected[::-1]


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


@pytest.mark.parametrize(
    ("cron", "seconds"),
    [
        ("* * * * *", 60),
        ("0 2 * * *", DAY),
        ("*/7 * * * *", 240),
        ("59 23 * * *", DAY),
        ("0 0,1 1 12 *", HOUR),
        ("@weekly", 7 * DAY),
    ],
)
def test_the_shortest_time_between_two_runs(cron: str, seconds: int) -> None:
    assert Timetable(cron, "America/New_York").shortest_interval() == seconds


@pytest.mark.parametrize(
    ("cron", "zone", "fault"),
    [
        ("* * * *", "UTC", "'cron'.*five fields"),
        ("0 0 * * * *", "UTC", "'cron'.*five fields"),
        ("61 * * * *", "UTC", "'cron'.*bad minute"),
        ("0 24 * * *", "UTC", "'cron'.*bad hour"),
        ("0 0 31 2 *", "UTC", "'cron'.*bad day-of-month"),
        ("0 0 * * FOO", "UTC", "'cron'.*bad day-of-week"),
        ("@reboot", "UTC", "'cron'.*five fields"),
        ("0 2 * * *", "Europe/Berln", "'timeZone'.*did you mean Europe/Berlin"),
        ("0 2 * * *", "../../etc/passwd", "'timeZone'"),
        ("0 2 * * *", "CEST", "'timeZone'"),
    ],
)
def test_a_wrong_schedule_is_refused_with_its_field(cron: str, zone: str, fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault):
        Timetable(cron, zone)
