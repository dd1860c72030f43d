"""When a pipeline runs by itself, as people state it and as the scheduler reports it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

MAX_CAUGHT_UP = 100


class OverlapPolicy(StrEnum):
    """What becomes of a tick while a run of its pipeline is open."""

    SKIP = "skip"
    QUEUE_ONE = "queue_one"
    ALLOW = "allow"


class CatchUpPolicy(StrEnum):
    """What becomes of the ticks of a downtime."""

    NONE = "none"
    LATEST = "latest"
    ALL = "all"


class TickOutcome(StrEnum):
    """What became of one tick of one pipeline."""

    FIRED = "fired"
    QUEUED = "queued"
    """Fires when no run of its pipeline is open."""
    SKIPPED = "skipped"
    """A run was open, or the pipeline was paused while it waited."""
    MISSED = "missed"
    """No scheduler looked at the time, and the catch-up policy does not make up for it."""
    REFUSED = "refused"
    """The backend took no execution for it; the tick says why."""


class Schedule(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """When a pipeline runs. ``cron`` has the five fields of cron, in the wall clock of ``time_zone`` (an IANA name).

    ``catch_up_limit`` is how many ticks of a downtime ``all`` makes up for, the newest ones. A run begins up to
    ``jitter_seconds`` after its time, by an amount that is drawn anew, and repeatably, for each tick.
    """

    cron: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    time_zone: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] = "UTC"
    overlap: OverlapPolicy = OverlapPolicy.SKIP
    catch_up: CatchUpPolicy = CatchUpPolicy.LATEST
    catch_up_limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_CAUGHT_UP)] = 10
    jitter_seconds: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 0


class TickResult(msgspec.Struct):
    """What one look at the schedules did, in ticks; ``failed`` pipelines could not be looked after."""

    fired: int = 0
    queued: int = 0
    skipped: int = 0
    missed: int = 0
    refused: int = 0
    failed: int = 0


class PipelineRun(msgspec.Struct):
    """The execution that a request to run a pipeline started, or had started when it came before."""

    execution_id: str
    status: str
