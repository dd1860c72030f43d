"""Runs: the requests and answers between workers and runner about one run of a tool. All times are seconds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from docfleet.core.error_codes import error_from_code
from docfleet.core.errors import DependencyError
from docfleet.core.wire import Wire

RESULT_BYTES = 64 * 1024**2
"""The most bytes of a tool's result, unless set otherwise: whoever reads it holds all of it, several times over."""


class RunLimits(Wire):
    """Limits of one tool run. Bytes, seconds, processes.

    A run that takes longer than ``first_seconds``, and what its size and its pages add, is a long one: it goes on to
    ``wall_seconds`` in one of the runner's places for long runs. With 0 no run is long. ``nice`` is added to the
    niceness of its processes: where processors are scarce, others go first.
    """

    wall_seconds: float = 600.0
    first_seconds: float = 0.0
    cpu_seconds: int = 600
    memory_bytes: int = 2 * 1024**3
    file_size_bytes: int = 512 * 1024**2
    result_bytes: int = RESULT_BYTES
    processes: int = 64
    nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = 0


class RunRequest(Wire):
    """Body of ``PUT /v1/runs/{id}``. ``folder`` is the file's execution folder below the storage root,
    with SOURCE, INFILE and METADATA.json; ``step`` counts from 1."""

    tool_id: str
    folder: str
    step: int
    settings: dict[str, Any] = {}
    limits: RunLimits = msgspec.field(default_factory=RunLimits)
    organization_id: str = ""
    execution_id: str = ""
    file_execution_id: str = ""


class RunLine(Wire):
    """A line of a tool for its users: a LOG line, or an UPDATE with ``state``. ``level`` is that of the tool;
    ``timestamp`` is in seconds since the epoch."""

    timestamp: float
    text: str
    level: str = "INFO"
    state: str = ""


class RunState(Wire):
    """Answer of PUT, GET and DELETE. ``phase`` is RUNNING, SUCCEEDED, FAILED or STOPPED; a failed run has
    ``error`` (for people) and ``error_code`` (a code of ``errors``). Times are epoch seconds.
    ``lines`` are the first lines of the tool so far."""

    run_id: str
    phase: Literal["RUNNING", "SUCCEEDED", "FAILED", "STOPPED"]
    error: str | None = None
    error_code: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    started_at: float = 0.0
    finished_at: float | None = None
    cpu_seconds: float = 0.0
    max_rss_bytes: int = 0
    tool_metadata: dict[str, Any] = {}
    lines: list[RunLine] = []

    @property
    def is_final(self) -> bool:
        """True unless the run still runs."""
        return self.phase != "RUNNING"

    @property
    def has_verdict(self) -> bool:
        """False for a run that failed for a cause outside document and tool: the same request may run again."""
        return not isinstance(error_from_code(self.error_code or "", ""), DependencyError)
