"""Decides the outcome of the ticks of a pipeline that have become due. Reads and writes nothing."""

from __future__ import annotations

import hashlib
from itertools import islice, takewhile

import msgspec

from docfleet.backend.schedules.timetable import Timetable
from docfleet.core.schedule import MAX_CAUGHT_UP, CatchUpPolicy, OverlapPolicy, Schedule, TickOutcome


class Next(msgspec.Struct, frozen=True):
    """The nominal time of the next tick, and when it is due. None when there is no next tick."""

    tick_at: int | None
    run_at: int | None


def next_after(timetable: Timetable, schedule: Schedule, pipeline_id: str, instant: float) -> Next:
    """The first tick after ``instant``."""
    return _next(schedule, pipeline_id, next(timetable.after(instant), None))


def come_due(
    timetable: Timetable, schedule: Schedule, pipeline_id: str, since: float, now: float
) -> tuple[list[int], Next]:
    """The ticks from ``since`` on that are due ``now``, the newest ``MAX_CAUGHT_UP``, oldest first; and the next."""
    newest = takewhile(lambda tick: tick >= since, timetable.until(now))
    ticks = list(islice(newest, MAX_CAUGHT_UP))[::-1]
    for position, tick in enumerate(ticks):
        if due_at(schedule, pipeline_id, tick) > now:
            return ticks[:position], _next(schedule, pipeline_id, tick)
    return ticks, next_after(timetable, schedule, pipeline_id, now)


def due_at(schedule: Schedule, pipeline_id: str, tick: int) -> int:
    """When the run of ``tick`` starts: its time plus the jitter, which is the same in every process."""
    if schedule.jitter_seconds == 0:
        return tick
    drawn = hashlib.sha256(f"{pipeline_id} {tick}".encode()).digest()
    return tick + int.from_bytes(drawn[:8]) % (schedule.jitter_seconds + 1)


def decide(
    schedule: Schedule, pipeline_id: str, ticks: list[int], now: float, late_seconds: float, *, busy: bool, queued: bool
) -> list[tuple[int, TickOutcome]]:
    """The outcome of each of the due ``ticks``. A tick is late when it has been due for more than ``late_seconds``.

    ``busy``: a run of the pipeline is open; ``queued``: a tick of it waits for the end of that run.
    """
    late = {tick for tick in ticks if now - due_at(schedule, pipeline_id, tick) > late_seconds}
    wanted = set(ticks) - late
    backlog = bool(late) and schedule.catch_up is CatchUpPolicy.ALL
    if backlog:
        wanted = set(ticks[-schedule.catch_up_limit :])
    elif schedule.catch_up is CatchUpPolicy.LATEST and not wanted:
        wanted = set(ticks[-1:])
    outcomes = []
    for tick in ticks:
        if tick not in wanted:
            outcome = TickOutcome.MISSED
        elif schedule.overlap is OverlapPolicy.ALLOW or not (busy or queued):
            outcome, busy = TickOutcome.FIRED, True
        elif backlog or (schedule.overlap is OverlapPolicy.QUEUE_ONE and not queued):
            # The ticks of a downtime run one after the other, whatever the policy for ticks during a run is.
            outcome, queued = TickOutcome.QUEUED, True
        else:
            outcome = TickOutcome.SKIPPED
        outcomes.append((tick, outcome))
    return outcomes


def _next(schedule: Schedule, pipeline_id: str, tick: int | None) -> Next:
    return Next(tick, None if tick is None else due_at(schedule, pipeline_id, tick))
