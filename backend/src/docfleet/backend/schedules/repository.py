"""Reads and writes of schedules and their ticks."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select, text, tuple_, update

from docfleet.backend.platform.db import SECONDS_PER_DAY, Record, clean, db_now, iso, upsert
from docfleet.backend.schedules.decision import next_after
from docfleet.backend.schedules.timetable import Timetable
from docfleet.backend.tables.pipelines import pipelines
from docfleet.backend.tables.schedules import QUEUED_TICK, schedule_ticks
from docfleet.core.errors import InvalidInput
from docfleet.core.management.pipelines import Tick
from docfleet.core.schedule import CatchUpPolicy, OverlapPolicy, Schedule, TickOutcome

MAX_DETAIL_LENGTH = 500
MAX_DELETED = 10_000


def of(row: Record) -> Schedule | None:
    """The schedule of a pipeline's row."""
    if row.cron_string is None:
        return None
    return Schedule(
        cron=row.cron_string,
        time_zone=row.time_zone,
        overlap=OverlapPolicy(row.overlap_policy),
        catch_up=CatchUpPolicy(row.catch_up),
        catch_up_limit=row.catch_up_limit,
        jitter_seconds=row.jitter_seconds,
    )


def columns(schedule: Schedule | None) -> dict[str, Any]:
    """The schedule as columns of a pipeline's row."""
    stated = schedule or Schedule(cron="-")
    return {
        "cron_string": None if schedule is None else schedule.cron,
        "time_zone": stated.time_zone,
        "overlap_policy": stated.overlap.value,
        "catch_up": stated.catch_up.value,
        "catch_up_limit": stated.catch_up_limit,
        "jitter_seconds": stated.jitter_seconds,
    }


def check(schedule: Schedule, shortest_seconds: int) -> Timetable:
    """The timetable of a schedule that may be kept. Raises ``InvalidInput`` naming the field and the remedy."""
    timetable = Timetable(schedule.cron, schedule.time_zone)
    interval = timetable.shortest_interval()
    if interval < shortest_seconds:
        raise InvalidInput(
            f"'cron': {schedule.cron!r:.120} runs every {interval} seconds, and less than {shortest_seconds} are not "
            "allowed (setting MIN_SCHEDULE_INTERVAL_SECONDS): choose times that lie further apart"
        )
    if schedule.jitter_seconds >= interval:
        raise InvalidInput(
            f"'jitterSeconds' has to be less than the {interval} seconds between two runs: their order would change"
        )
    return timetable


def plan(connection: Connection, pipeline_id: str, schedule: Schedule | None, *, active: bool) -> None:
    """Write the next run of a pipeline whose schedule was changed, or that was paused or resumed. The time until now
    does not count as downtime. A pause drops ticks that wait for a run to end."""
    values: dict[str, Any] = {"next_tick_at": None, "next_run_at": None}
    if schedule is not None and active:
        now = connection.scalar(select(db_now())) or 0.0
        following = next_after(Timetable(schedule.cron, schedule.time_zone), schedule, pipeline_id, now)
        values = {"next_tick_at": following.tick_at, "next_run_at": following.run_at}
    else:
        waiting = update(schedule_ticks).where(schedule_ticks.c.pipeline_id == pipeline_id, text(QUEUED_TICK))
        connection.execute(
            waiting.values(outcome=TickOutcome.SKIPPED.value, detail="the pipeline was paused", decided_at=db_now())
        )
    connection.execute(update(pipelines).where(pipelines.c.id == pipeline_id).values(**values))


def tick(
    pipeline_id: str, scheduled_for: int, outcome: TickOutcome, execution_id: str | None, detail: str | None
) -> dict[str, Any]:
    """A tick as columns of its row."""
    return {
        "pipeline_id": pipeline_id,
        "scheduled_for": scheduled_for,
        "outcome": outcome.value,
        "execution_id": execution_id,
        "detail": clean(detail, MAX_DETAIL_LENGTH),
    }


def note(connection: Connection, rows: list[dict[str, Any]]) -> set[tuple[str, int]]:
    """Write the rows of ticks that have none; the others are decided already. Returns the keys of the written rows."""
    if not rows:
        return set()
    key = schedule_ticks.c.pipeline_id, schedule_ticks.c.scheduled_for
    statement = upsert(connection, schedule_ticks).values(decided_at=db_now()).on_conflict_do_nothing().returning(*key)
    return {(row.pipeline_id, row.scheduled_for) for row in connection.execute(statement, rows)}


def release(
    connection: Connection,
    pipeline_id: str,
    tick: int,
    outcome: TickOutcome,
    execution_id: str | None,
    detail: str | None,
) -> bool:
    """Write the outcome of a queued tick; False when it is not queued any more."""
    statement = update(schedule_ticks).where(
        schedule_ticks.c.pipeline_id == pipeline_id, schedule_ticks.c.scheduled_for == tick, text(QUEUED_TICK)
    )
    values = {"outcome": outcome.value, "execution_id": execution_id, "detail": clean(detail, MAX_DETAIL_LENGTH)}
    return connection.execute(statement.values(**values, decided_at=db_now())).rowcount == 1


def ticks(connection: Connection, pipeline_id: str, before: int | None, limit: int) -> list[Record]:
    """The ticks of a pipeline, newest first; only those before the time ``before`` where it is given."""
    where = [schedule_ticks.c.pipeline_id == pipeline_id]
    if before is not None:
        where.append(schedule_ticks.c.scheduled_for < before)
    newest = schedule_ticks.c.scheduled_for.desc()
    return list(connection.execute(select(schedule_ticks).where(*where).order_by(newest).limit(limit)))


def describe_tick(row: Record) -> Tick:
    """The tick of a row."""
    return Tick(
        scheduled_for=iso(row.scheduled_for),
        outcome=TickOutcome(row.outcome),
        execution_id=row.execution_id,
        detail=row.detail,
        decided_at=iso(row.decided_at),
    )


def delete_old(connection: Connection, days: float) -> int:
    """Delete ticks decided more than ``days`` ago, but not those that wait. Returns their number. 0 days: none."""
    if days <= 0:
        return 0
    old = (
        select(schedule_ticks.c.pipeline_id, schedule_ticks.c.scheduled_for)
        .where(schedule_ticks.c.decided_at < db_now() - days * SECONDS_PER_DAY)
        .where(schedule_ticks.c.outcome != TickOutcome.QUEUED.value)
        .limit(MAX_DELETED)
    )
    key = schedule_ticks.c.pipeline_id, schedule_ticks.c.scheduled_for
    return connection.execute(delete(schedule_ticks).where(tuple_(*key).in_(old))).rowcount
