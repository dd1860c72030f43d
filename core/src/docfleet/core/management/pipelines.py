"""Pipelines, their schedules, and the outcome of each scheduled time (tick)."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from docfleet.core.names import GivenName
from docfleet.core.schedule import Schedule, TickOutcome


class PipelineRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A pipeline: the workflow named ``workflow``, to be run when its key triggers it, and by its schedule.

    Without ``schedule`` it keeps the one it has; null takes it away.
    """

    name: GivenName
    workflow: str
    active: bool = True
    schedule: Schedule | UnsetType | None = UNSET


class Pipeline(msgspec.Struct, kw_only=True):
    """One pipeline. ``workflow`` is the name of its workflow; ``run_count`` counts runs that have ended."""

    pipeline_id: str
    name: str
    workflow: str
    workflow_id: str
    pipeline_type: str
    active: bool
    run_count: int
    last_run_status: str | None
    last_run_time: str | None
    schedule: Schedule | None
    next_run_time: str | None


class PipelineList(msgspec.Struct):
    """The pipelines of an organization, by name."""

    pipelines: list[Pipeline]


class DeletedPipeline(msgspec.Struct):
    """A pipeline was deleted."""

    pipeline_id: str
    deleted: bool = True


class PlannedRun(msgspec.Struct):
    """One future run: ``time`` in the zone of its schedule, and the same in UTC."""

    time: str
    utc: str


class SchedulePreview(msgspec.Struct, kw_only=True):
    """The next runs of a schedule, before jitter."""

    schedule: Schedule
    runs: list[PlannedRun]


class PipelinePreview(SchedulePreview, kw_only=True):
    """The next runs of a pipeline; they come only while it is ``active``."""

    pipeline_id: str
    name: str
    active: bool


class Tick(msgspec.Struct, kw_only=True):
    """The outcome of one scheduled time; ``detail`` gives the reason where there is one."""

    scheduled_for: str
    outcome: TickOutcome
    execution_id: str | None
    detail: str | None
    decided_at: str


class TickPage(msgspec.Struct):
    """Ticks, newest first; ``next`` is the ``after`` of the next page."""

    ticks: list[Tick]
    next: int | None
