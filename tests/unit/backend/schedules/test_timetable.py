"""When schedules run, compared with a walk over every minute that uses no cron library."""

from __future__ import annotations

from itertools import takewhile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from docfleet.backend.schedules.timetable import Timetable
from docfleet.core.errors import InvalidInput
from tests.unit.backend.schedules.cron_walk import (
    AUTUMN,
    DAY,
    HALF_PAST_TWO,
    HOUR,
    QUARTERS,
    SPRING,
    Stated,
    expressions,
    windows,
)


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
