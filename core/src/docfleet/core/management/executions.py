"""Executions, their files and results, and the outcomes of stop and retry."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

import msgspec

from docfleet.core.execution import ExecutionInfo
from docfleet.core.files import Tag
from docfleet.core.status import ExecutionStatus


class ExecutionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """How to run; ``use_file_history`` null means the workflow's setting."""

    use_file_history: bool | None = None
    tags: list[str] = []


class StartedExecution(msgspec.Struct):
    """The execution that a request started, or the existing one for a repeated idempotency key."""

    execution_id: str
    status: ExecutionStatus


class TagSummary(Tag, kw_only=True, omit_defaults=False):
    """A tag with every key."""


class ExecutionSummary(ExecutionInfo, kw_only=True, omit_defaults=False):
    """An execution's row with every key; workers get it without the keys that have defaults."""

    tags: list[TagSummary] = []  # type: ignore[assignment]

    @classmethod
    def of(cls, info: ExecutionInfo, **more: Any) -> Self:
        """The summary of ``info``; ``more`` are the fields a subclass adds."""
        values = {name: getattr(info, name) for name in ExecutionInfo.__struct_fields__}
        tags = [TagSummary(id=tag.id, name=tag.name, description=tag.description) for tag in info.tags]
        return cls(**{**values, "tags": tags}, **more)


class ListedExecution(ExecutionSummary, kw_only=True):
    """One execution of a list. ``retries`` are the executions of its failed files."""

    retries: list[str] = []


class ExecutionPage(msgspec.Struct):
    """Executions, newest first; ``next`` is the ``after`` of the next page."""

    executions: list[ListedExecution]
    next: str | None


class ExecutionProgress(msgspec.Struct, kw_only=True):
    """Files: ``done`` are final, ``open`` are not. ``total`` grows until ``listing_complete``; ``percent`` is 0 to 100
    with one decimal."""

    total: int
    done: int
    open: int
    listing_complete: bool
    percent: float


class ExecutionState(msgspec.Struct, kw_only=True):
    """An execution, its files by status, and its skipped files by reason, with the first paths of each.

    ``stopping``: it starts nothing more and ends when no worker processes a file of it. ``retries`` are executions of
    its failed files.
    """

    execution: ExecutionSummary
    retries: list[str] = []
    stopping: bool = False
    counts: dict[str, int] = {}
    skipped: dict[str, int] = {}
    skipped_examples: dict[str, list[str]] = {}
    progress: ExecutionProgress


class StopOutcome(StrEnum):
    """The outcome of a request to stop."""

    STOPPED = "stopped"
    STOPPING = "stopping"
    """A worker still processes a file: repeat the call to keep waiting."""
    ALREADY_ENDED = "already_ended"


class StopResult(ExecutionState, kw_only=True):
    """The execution after a stop; ``stopped`` is true for the outcome of the same name."""

    outcome: StopOutcome
    stopped: bool


class RetryResult(msgspec.Struct, kw_only=True):
    """The new execution of the failed and stopped files of ``retry_of``, without those that were ``skipped`` (counts by
    reason). ``listing_complete``: the old execution had listed its source completely."""

    execution_id: str
    status: ExecutionStatus
    retry_of: str
    total_files: int
    skipped: dict[str, int] = {}
    listing_complete: bool = True


class FileOfExecution(msgspec.Struct):
    """One file of an execution; ``execution_time`` in seconds."""

    file_execution_id: str
    file_number: int
    name: str
    path: str
    status: ExecutionStatus
    error: str | None = None
    error_code: str | None = None
    outputs: list[str] = []
    execution_time: float | None = None
    attempt: int = 0


class FilePage(msgspec.Struct):
    """Files by number; ``next`` is the ``after`` of the next page."""

    files: list[FileOfExecution]
    next: int | None


class ExecutionResults(msgspec.Struct):
    """The results of an API's execution: one item per file in the order of the call, null while it runs."""

    execution_id: str
    status: ExecutionStatus
    results: list[dict[str, Any]] | None
