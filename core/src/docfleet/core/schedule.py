"""The schedule of a pipeline, as people write it and as the scheduler reports it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

MAX_CAUGHT_UP = 100
_CRON = {
    "pattern": "^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)"
    "|[0-9*/,-]+ [0-9*/,-]+( [0-9A-Za-z*/,#-]+){3})$",
    "format": "cron",
}
"""The shape of an expression; the backend checks its numbers."""
_ZONE = {"format": "time-zone"}


class OverlapPolicy(StrEnum):
    """What happens to a tick while a run of its pipeline is open."""

    SKIP = "skip"
    QUEUE_ONE = "queue_one"
    ALLOW = "allow"


class CatchUpPolicy(StrEnum):
    """What happens to the ticks that were missed during a downtime."""

    NONE = "none"
    LATEST = "latest"
    ALL = "all"


class TickOutcome(StrEnum):
    """The outcome of one tick of one pipeline."""

    FIRED = "fired"
    QUEUED = "queued"
    """Fires when no run of its pipeline is open."""
    SKIPPED = "skipped"
    """A run was open, or the pipeline was paused while it waited."""
    MISSED = "missed"
    """No scheduler was running at the time, and the catch-up policy does not repeat it."""
    REFUSED = "refused"
    """The backend refused the execution; the tick has the reason."""


class Schedule(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """When a pipeline runs. ``cron`` has the five fields of cron, in the wall clock of ``time_zone`` (an IANA name).

    ``catch_up_limit`` is how many ticks of a downtime ``all`` makes up for, the newest ones. A run starts up to
    ``jitter_seconds`` after its time. The delay differs from tick to tick and is the same in every process.
    """

    cron: Annotated[str, msgspec.Meta(min_length=1, max_length=200, extra_json_schema=_CRON)]
    time_zone: Annotated[str, msgspec.Meta(min_length=1, max_length=64, extra_json_schema=_ZONE)] = "UTC"
    overlap: OverlapPolicy = OverlapPolicy.SKIP
    catch_up: CatchUpPolicy = CatchUpPolicy.LATEST
    catch_up_limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_CAUGHT_UP)] = 10
    jitter_seconds: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 0


class TickResult(msgspec.Struct):
    """The result of one pass over the schedules, in ticks; ``failed`` counts pipelines that raised an error."""

    fired: int = 0
    queued: int = 0
    skipped: int = 0
    missed: int = 0
    refused: int = 0
    failed: int = 0


class PipelineRun(msgspec.Struct):
    """The execution that a request to run a pipeline started, or the existing one for a repeated request."""

    execution_id: str
    status: str
