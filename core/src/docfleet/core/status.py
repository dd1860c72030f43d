"""Statuses, the table of allowed transitions, and the rules that derive one status from others.

The values are those of the original (Unstract at 6b916eac). Only the backend's state machine writes a status,
and only along ``ALLOWED``; a terminal status absorbs every later write.
"""

from __future__ import annotations

from enum import StrEnum


class ExecutionStatus(StrEnum):
    """Status of an execution, and of one file in it."""

    PENDING = "PENDING"
    EXECUTING = "EXECUTING"
    COMPLETED = "COMPLETED"
    STOPPED = "STOPPED"
    ERROR = "ERROR"

    @property
    def is_final(self) -> bool:
        """True for COMPLETED, STOPPED and ERROR."""
        return self in FINAL


FINAL = frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.STOPPED, ExecutionStatus.ERROR})
OPEN = frozenset(ExecutionStatus) - FINAL

ALLOWED: dict[ExecutionStatus, frozenset[ExecutionStatus]] = {
    ExecutionStatus.PENDING: frozenset(
        {ExecutionStatus.EXECUTING, ExecutionStatus.COMPLETED, ExecutionStatus.ERROR, ExecutionStatus.STOPPED}
    ),
    ExecutionStatus.EXECUTING: frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.ERROR, ExecutionStatus.STOPPED}),
    ExecutionStatus.COMPLETED: frozenset(),
    ExecutionStatus.STOPPED: frozenset(),
    ExecutionStatus.ERROR: frozenset(),
}
"""From → to. PENDING → COMPLETED is an execution without files to process."""


def sources_of(target: ExecutionStatus) -> tuple[ExecutionStatus, ...]:
    """The statuses from which ``target`` may be reached: the ``WHERE status IN`` of a compare-and-set."""
    return tuple(status for status, targets in ALLOWED.items() if target in targets)


class PipelineStatus(StrEnum):
    """Status of a pipeline's last run."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    INPROGRESS = "INPROGRESS"
    YET_TO_START = "YET_TO_START"
    PARTIAL_SUCCESS = "PARTIAL_SUCCESS"
    RESTARTING = "RESTARTING"
    PAUSED = "PAUSED"


class EmptyReason(StrEnum):
    """Why a COMPLETED execution has no files; a listing that failed is an ERROR, never one of these."""

    NO_MATCH = "no_match"
    ALL_FILTERED = "all_filtered"


class SkipReason(StrEnum):
    """Why an entry of a source did not become a file of the execution."""

    DUPLICATE = "duplicate"
    ALREADY_PROCESSED = "already_processed"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    ACTIVE_ELSEWHERE = "active_elsewhere"
    OVER_LIMIT = "over_limit"
    OVER_QUOTA = "over_quota"
    # The rest is left out by the listing itself.
    NO_DOCUMENT = "no_document"
    STILL_WRITTEN = "still_written"
    TOO_DEEP = "too_deep"
    LISTED_ALREADY = "listed_already"
    BROKEN_LINK = "broken_link"
    LINK_OUTSIDE = "link_outside"
    NOT_A_FILE = "not_a_file"
    PATH_TOO_LONG = "path_too_long"


_FAULTS: frozenset[str] = frozenset(
    {
        SkipReason.STILL_WRITTEN,
        SkipReason.BROKEN_LINK,
        SkipReason.LINK_OUTSIDE,
        SkipReason.NOT_A_FILE,
        SkipReason.PATH_TOO_LONG,
    }
)
_SKIP_WORDS: dict[str, str] = {
    SkipReason.DUPLICATE: "listed twice",
    SkipReason.ALREADY_PROCESSED: "already processed in an earlier run (--no-history takes them again)",
    SkipReason.ATTEMPTS_EXHAUSTED: "given up: failed too often in earlier runs",
    SkipReason.ACTIVE_ELSEWHERE: "being processed by another execution",
    SkipReason.OVER_LIMIT: "over the limit of maxFiles",
    SkipReason.OVER_QUOTA: "over the organization's quota; a later run takes them (`docfleet organizations show`)",
    SkipReason.NO_DOCUMENT: "no document by name: left by a system, an editor or a download (ignoreNames)",
    SkipReason.STILL_WRITTEN: "not read: still being written; a later run takes it when it is complete",
    SkipReason.TOO_DEEP: "not listed: folder below the limit of maxDepth",
    SkipReason.LISTED_ALREADY: "not listed again: link to a folder that is listed already",
    SkipReason.BROKEN_LINK: "not read: link to nothing (mend or remove it)",
    SkipReason.LINK_OUTSIDE: "not read: link out of the source folder (put the file itself there)",
    SkipReason.NOT_A_FILE: "not read: device, pipe or socket",
    SkipReason.PATH_TOO_LONG: "not read: the path is longer than the system allows (shorten its names)",
}


def skip_words(reason: str) -> str:
    """The words that follow a number of entries; a reason of a newer sender or of a plug-in stands for itself."""
    return _SKIP_WORDS.get(reason, reason)


def is_fault(reason: str) -> bool:
    """Whether entries that are skipped for this reason cannot be read, though no option of the workflow leaves them
    out."""
    return reason in _FAULTS


def derive_execution_status(*, total: int, successful: int, failed: int, stopped: int = 0) -> ExecutionStatus:
    """The final status of an execution from the counts of its rows.

    No files expected → COMPLETED; none processed, or some failed and none successful → ERROR; some failed →
    COMPLETED (with ``failed > 0``); otherwise COMPLETED. Stopped files alone do not make a failure.
    """
    if total == 0:
        return ExecutionStatus.COMPLETED
    if successful + failed + stopped == 0 or (failed and not successful):
        return ExecutionStatus.ERROR
    if stopped and not successful and not failed:
        return ExecutionStatus.STOPPED
    return ExecutionStatus.COMPLETED


def derive_pipeline_status(status: ExecutionStatus, failed: int) -> PipelineStatus:
    """The pipeline's status after (or during) an execution."""
    match status:
        case ExecutionStatus.COMPLETED:
            return PipelineStatus.PARTIAL_SUCCESS if failed else PipelineStatus.SUCCESS
        case ExecutionStatus.EXECUTING:
            return PipelineStatus.INPROGRESS
        case ExecutionStatus.PENDING:
            return PipelineStatus.YET_TO_START
        case _:
            return PipelineStatus.FAILURE
