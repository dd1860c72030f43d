"""Schedules computed by a walk over every minute: what the cron library is compared with."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

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

    @property
    def is_valid(self) -> bool:
        """Whether one of its months has one of its days: the 30th of February is refused."""
        longest = max(calendar.monthrange(2024, month)[1] for month in self.fields[3][1])
        return min(self.fields[2][1]) <= longest

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
    st.builds(Stated, any_of(0, 59), any_of(0, 23), any_of(1, 31), any_of(1, 12), any_of(0, 6)).filter(
        lambda stated: stated.is_valid
    ),
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
