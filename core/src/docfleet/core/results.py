"""Results on the wire: of one file, of one batch, and the arguments of the callback."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from docfleet.core.status import FINAL, ExecutionStatus
from docfleet.core.wire import Wire

MAX_RESULTS_IN_RECEIPT = 20
"""The most failed files that a batch names in its result. The rows hold all of them. A chord result must stay small,
because a broker silently drops an aggregate above its message limit."""


class FileExecutionResult(Wire):
    """One file, as the outside sees it. ``status`` follows from ``error``."""

    file: str
    file_execution_id: str = ""
    result: Any = None
    error: str | None = None
    metadata: dict[str, Any] | None = None

    @property
    def status(self) -> str:
        """``Success`` or ``Failed``."""
        return "Failed" if self.error else "Success"


class FileOutcome(Wire):
    """The report of a worker about one file under its lease.

    ``attempt`` is the fencing token. ``execution_time`` is in seconds. ``outputs`` are places a person can
    open (a path, or ``table:row``). ``status`` is COMPLETED, ERROR or STOPPED. ``result`` and ``metadata`` are
    those of an API's result item; an outcome of another destination has none. ``digest`` is the SHA-256 (hex) of what
    was delivered, as its sink computes it; none when nothing was.
    """

    file_execution_id: str
    attempt: int
    status: Annotated[ExecutionStatus, msgspec.Meta(extra_json_schema={"enum": sorted(FINAL)})]
    error: str | None = None
    error_code: str | None = None
    file_hash: str | None = None
    mime_type: str | None = None
    execution_time: float = 0.0
    outputs: list[str] = []
    pages: int = 0
    usage: dict[str, Any] = {}
    result: Any = None
    metadata: dict[str, Any] | None = None
    digest: str | None = None


class BatchExecutionResult(Wire):
    """The chord result of one batch. ``execution_time`` is in seconds."""

    total_files: int = 0
    successful_files: int = 0
    failed_files: int = 0
    execution_time: float = 0.0
    file_results: list[FileExecutionResult] = []
    errors: list[str] = []
    skipped_already_completed: int = 0
    skipped_active_duplicate: int = 0
    organization_id: str | None = None
    batch_id: str | None = None

    def add(self, outcome: FileOutcome, file_name: str) -> None:
        """Count one outcome; name it when it failed and there is room."""
        self.total_files += 1
        if outcome.status is ExecutionStatus.COMPLETED:
            self.successful_files += 1
            return
        self.failed_files += 1
        if len(self.file_results) < MAX_RESULTS_IN_RECEIPT:
            self.file_results.append(
                FileExecutionResult(
                    file=file_name, file_execution_id=outcome.file_execution_id, error=outcome.error or "stopped"
                )
            )


class CallbackTaskData(Wire):
    """Keyword arguments of the callback and of the errback."""

    execution_id: str
    organization_id: str
    pipeline_id: str | None = None

    def __post_init__(self) -> None:
        if not self.execution_id or not self.organization_id:
            raise ValueError("execution_id and organization_id must not be empty")


class AggregatedResult(Wire):
    """The sums over the batches, for the log line of the callback; the rows hold the numbers that count."""

    batches_processed: int = 0
    total_files: int = 0
    successful_files: int = 0
    failed_files: int = 0
    skipped_files: int = 0
    total_execution_time: float = 0.0
    unreadable_batches: int = 0
    errors: list[str] = []


def aggregate(results: list[Any]) -> AggregatedResult:
    """Sum batch results in any order. One that is no ``BatchExecutionResult`` is counted as unreadable."""
    total = AggregatedResult()
    for item in results:
        try:
            batch = msgspec.convert(item, BatchExecutionResult)
        except msgspec.ValidationError as error:
            total.unreadable_batches += 1
            total.errors.append(f"a batch returned no result: {error}")
            continue
        total.batches_processed += 1
        total.total_files += batch.total_files
        total.successful_files += batch.successful_files
        total.failed_files += batch.failed_files
        total.skipped_files += batch.skipped_already_completed + batch.skipped_active_duplicate
        total.total_execution_time += batch.execution_time
        total.errors.extend(batch.errors)
    return total
