"""Executions, their files and results, and the outcomes of stop and retry."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

import msgspec

from docfleet.core.evidence import DocumentEvidence
from docfleet.core.execution import ExecutionInfo
from docfleet.core.files import Tag
from docfleet.core.names import WorkerType
from docfleet.core.status import ExecutionStatus
from docfleet.core.waiting import WaitCause

MAX_TAGS = 50
MAX_TAG_LENGTH = 50
TagNames = Annotated[
    list[Annotated[str, msgspec.Meta(extra_json_schema={"minLength": 1, "maxLength": MAX_TAG_LENGTH})]],
    msgspec.Meta(extra_json_schema={"maxItems": MAX_TAGS}),
]
"""Names of tags. The backend checks the bounds."""


class ExecutionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """How to run; ``use_file_history`` null means the workflow's setting."""

    use_file_history: bool | None = None
    tags: TagNames = []


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


class MissingWorkers(msgspec.Struct):
    """No worker of this ``type`` is running, and an open execution needs one. ``last_seen`` (ISO 8601 in UTC) is when
    one was heard last; null for never."""

    type: WorkerType
    last_seen: str | None


class PresentWait(msgspec.Struct, kw_only=True):
    """What an open file or execution waits for, ``since`` when and ``until`` when, in ISO 8601; null where it is not
    known. It is the ``attempt``-th of ``attempts`` where these are counted. ``text`` says it all in one sentence."""

    cause: WaitCause
    text: str
    since: str | None = None
    until: str | None = None
    attempt: int | None = None
    attempts: int | None = None


class ExecutionState(msgspec.Struct, kw_only=True):
    """An execution, its files by status, and its skipped files by reason, with the first paths of each.

    ``stopping``: it starts nothing more and ends when no worker processes a file of it. ``waiting``: why nothing of it
    is being worked on. ``retries`` are executions of its failed files. ``missing_workers`` are types of worker that it
    needs or will need.
    """

    execution: ExecutionSummary
    waiting: PresentWait | None = None
    retries: list[str] = []
    stopping: bool = False
    counts: dict[str, int] = {}
    skipped: dict[str, int] = {}
    skipped_examples: dict[str, list[str]] = {}
    progress: ExecutionProgress
    missing_workers: list[MissingWorkers] = []


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
    """One file of an execution; ``execution_time`` in seconds. ``waiting``: why an open file is not worked on."""

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
    waiting: PresentWait | None = None


class FileEvidence(msgspec.Struct, kw_only=True):
    """The evidence for the result of one file: where each of its values stands, and how sure it is."""

    execution_id: str
    file_execution_id: str
    name: str
    evidence: DocumentEvidence


class WaitReasons(msgspec.Struct, kw_only=True):
    """Why an execution waits. ``working`` files are worked on now. ``causes`` are numbers of the other open files by
    ``WaitCause``; ``files`` are the first of them."""

    execution_id: str
    status: ExecutionStatus
    waiting: PresentWait | None
    working: int
    causes: dict[str, int]
    files: list[FileOfExecution]


class FilePage(msgspec.Struct):
    """Files by number; ``next`` is the ``after`` of the next page."""

    files: list[FileOfExecution]
    next: int | None


class ExecutionResults(msgspec.Struct):
    """The results of an API's execution: one item per file in the order of the call, null while it runs."""

    execution_id: str
    status: ExecutionStatus
    results: list[dict[str, Any]] | None
