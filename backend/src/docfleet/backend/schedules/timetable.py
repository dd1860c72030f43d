"""From a cron expression and a time zone to instants.

A schedule that names hours runs by the wall clock, each time of a day once. A time that the change to summer time skips
runs at the first instant after the gap. A time that the change back repeats runs the first time only. A schedule of
every hour (``*/15 * * * *``) names no time of a day: it runs by elapsed time, through both of the repeated hours, and
makes up for nothing in the gap.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from docfleet.core.errors import InvalidInput

_NAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = 5
_EVERY_HOUR = set(range(24))
_SAMPLED_RUNS = 200
"""The number of runs that are compared to find the shortest time between two of them."""
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1)
_REFERENCE_DAY = datetime(2025, 1, 1)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


class Timetable:
    """The instants of one schedule, as whole seconds since the epoch. Raises ``InvalidInput`` naming the field."""

    def __init__(self, cron: str, time_zone: str) -> None:
        self._cron = _NAMES.get(cron.strip().lower(), cron)
        if len(self._cron.split()) != _FIELDS:
            raise _bad_cron(cron, "it has to have five fields")
        try:
            self._by_elapsed_time = CronSim(self._cron, _REFERENCE_DAY).hours == _EVERY_HOUR
            if next(iter(CronSim(self._cron, _REFERENCE_DAY)), None) is None:
                raise _bad_cron(cron, "no day matches it")
        except CronSimError as error:
            raise _bad_cron(cron, f"{str(error).lower()}") from error
        if time_zone not in _zones():
            close = difflib.get_close_matches(time_zone, _zones(), n=1)
            hint = f"did you mean {close[0]}?" if close else "use an IANA name, as in Europe/Berlin or UTC"
            raise InvalidInput(f"'timeZone': there is no time zone {time_zone!r:.80}: {hint}")
        self._zone = ZoneInfo(time_zone)

    def after(self, instant: float) -> Iterator[int]:
        """The runs after ``instant``, in order, without end (or with one where no day matches any more)."""
        return _each_once(run for run in self._instants(instant, reverse=False) if run > instant)

    def until(self, instant: float) -> Iterator[int]:
        """The runs up to and at ``instant``, the newest first."""
        return _each_once(run for run in self._instants(instant, reverse=True) if run <= instant)

    def shortest_interval(self) -> int:
        """Seconds between the two runs that are closest to each other, without changes of the clock."""
        local = (_seconds(time) for time in CronSim(self._cron, _REFERENCE_DAY))
        return min((later - earlier for earlier, later in pairwise(islice(local, _SAMPLED_RUNS))), default=86_400)

    def local(self, instant: float) -> str:
        """``instant`` as ISO 8601 in the schedule's zone."""
        return datetime.fromtimestamp(instant, self._zone).isoformat(timespec="seconds")

    def _instants(self, instant: float, *, reverse: bool) -> Iterator[int]:
        """In order, from somewhat before ``instant`` on (``reverse``: from somewhat after it, backwards)."""
        first, second = (1, 0) if reverse else (0, 1)
        held: list[int] = []
        for time in CronSim(self._cron, self._start(instant, reverse=reverse), reverse=reverse):
            offsets = self._offset(time, 0), self._offset(time, 1)
            if offsets[0] > offsets[1] and self._by_elapsed_time:  # this time occurs twice
                yield _seconds(time - offsets[first])
                held.append(_seconds(time - offsets[second]))
                continue
            yield from held
            held.clear()
            if offsets[0] >= offsets[1]:
                yield _seconds(time - offsets[0])
            elif not self._by_elapsed_time:
                yield self._end_of_gap(_seconds(time - offsets[1]), _seconds(time - offsets[0]))
        yield from held

    def _start(self, instant: float, *, reverse: bool) -> datetime:
        """A local time before all times that are requested (``reverse``: after them)."""
        local = datetime.fromtimestamp(instant, self._zone)
        time = local.replace(tzinfo=None, fold=0, microsecond=0)
        repeated = self._offset(time, 0) - self._offset(time, 1)
        if reverse:
            return time + _MINUTE + (repeated if local.fold else timedelta())
        return time if local.fold else time - repeated

    def _offset(self, time: datetime, fold: int) -> timedelta:
        return time.replace(tzinfo=self._zone, fold=fold).utcoffset() or timedelta()

    def _end_of_gap(self, before: int, after: int) -> int:
        """The instant between these two at which the clock is put forward."""
        then = self._offset_at(after)
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (before, middle) if self._offset_at(middle) == then else (middle, after)
        return after

    def _offset_at(self, instant: int) -> timedelta | None:
        return datetime.fromtimestamp(instant, UTC).astimezone(self._zone).utcoffset()


def _each_once(instants: Iterator[int]) -> Iterator[int]:
    """The instants without repeats: all times of one gap fall on its end."""
    last = None
    for instant in instants:
        if instant != last:
            yield instant
        last = instant


def _seconds(time: datetime) -> int:
    return (time - _EPOCH) // _SECOND


def _bad_cron(cron: str, cause: str) -> InvalidInput:
    return InvalidInput(
        f"'cron': {cron!r:.120} is no cron expression ({cause}): "
        "give minute, hour, day of month, month and day of week, as in 0 6 * * MON-FRI"
    )
