"""The files of a batch, one after another: fetch, run the tools, deliver. A failure of one file spares the others."""

from __future__ import annotations

from pathlib import Path

import structlog
from billiard.exceptions import SoftTimeLimitExceeded

from docfleet.core.batch_calls import FileClaim
from docfleet.core.errors import (
    ConfigurationError,
    DependencyError,
    DestinationUnavailable,
    DocfleetError,
    Fenced,
    ToolError,
    ToolStopped,
)
from docfleet.core.execution import ExecutionContext
from docfleet.core.faults import point
from docfleet.core.machine import machine_trouble
from docfleet.core.results import FileOutcome
from docfleet.core.status import ExecutionStatus
from docfleet.workers.shared.clients.tool_client import ToolClient
from docfleet.workers.shared.infrastructure.config.settings import WorkerSettings
from docfleet.workers.shared.infrastructure.patterns.retry import observed_by, retrying
from docfleet.workers.shared.workflow.connectors.destination import Delivered, Delivery, Sink, open_sink
from docfleet.workers.shared.workflow.connectors.source import Source, open_source
from docfleet.workers.shared.workflow.execution import steps
from docfleet.workers.shared.workflow.execution.attempt import Attempt
from docfleet.workers.shared.workflow.execution.file_waits import FileWaits
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper

log = structlog.get_logger()

DELIVERY_ATTEMPTS = 8
"""With the waits between them (0.1 s, doubled each time) enough for a database to restart: 13 seconds at least."""
DELIVERY_ATTEMPTS_AFTER = 5
"""Attempts after a file whose delivery failed that long: the next files wait less."""
DELIVERY_SECONDS = 60.0


class FileRun:
    """Processes the files of one batch. Source and sink are made on first use, in this process."""

    def __init__(
        self, context: ExecutionContext, settings: WorkerSettings, tools: ToolClient, leases: LeaseKeeper
    ) -> None:
        self._context = context
        self._settings = settings
        self._tools = tools
        self._leases = leases
        self._source: Source | None = None
        self._sink: Sink | None = None
        self._sink_is_away = False
        self._step_paths: dict[str, list[str]] = {}

    def process(self, claim: FileClaim) -> FileOutcome | None:
        """The outcome to report, or ``None`` when the lease is lost. Never raises for a reason that
        lies in the file, its tools or its destination. Raises ``DependencyError`` when the runner stays unavailable,
        and ``MachineTrouble`` for a fault of this machine."""
        attempt = self._attempt(claim)
        waits = FileWaits(claim.file_execution_id, self._leases, attempt.lines)
        with (
            structlog.contextvars.bound_contextvars(file_execution_id=claim.file_execution_id),
            observed_by(waits),
        ):
            try:
                attempt.lines.started(self._context.execution.total_files)
                self._run(attempt)
                attempt.lines.delivered(attempt.seconds)
            except (Fenced, ToolStopped) as error:
                log.warning("file.abandoned", file=claim.file.file_name, reason=error.code)
                attempt.lines.given_up(error.message)
                return None
            except (SoftTimeLimitExceeded, DependencyError):
                raise
            except Exception as error:
                trouble = machine_trouble(error)
                if trouble is not None:
                    attempt.lines.given_up(trouble.message)
                    raise trouble from error
                failure = _as_failure(error)
                attempt.fail(failure)
                if not self._deliver_error(attempt):
                    return None
                log.warning("file.failed", file=claim.file.file_name, code=failure.code, error=failure.message)
                attempt.lines.failed(failure.message)
            finally:
                attempt.remove_folder()
        self._step_paths[claim.file_execution_id] = attempt.step_paths
        attempt.outcome.execution_time = round(attempt.seconds, 4)
        return attempt.outcome

    def reported(self, outcomes: list[FileOutcome]) -> None:
        """Handle outcomes that are written: remove the step results of COMPLETED files, mark those of others as
        counted."""
        for outcome in outcomes:
            for path in self._step_paths.pop(outcome.file_execution_id, []):
                if outcome.status is ExecutionStatus.COMPLETED:
                    steps.remove(path)
                else:
                    steps.note_counted(path)

    def close(self) -> None:
        """Close the connectors."""
        for connector in (self._source, self._sink):
            if connector is not None:
                connector.close()

    def _attempt(self, claim: FileClaim) -> Attempt:
        return Attempt(claim, self._context, self._settings, self._leases)

    def _run(self, attempt: Attempt) -> None:
        # A worker that was suspended may have lost the rest of its files: no tool must run for those.
        attempt.require_lease()
        attempt.fetch(self._source_connector())
        attempt.run_tools(self._tools)
        try:
            attempt.delivered(self._deliver(attempt.delivery()))
            attempt.keep_evidence()
        except ToolError:
            attempt.remove_last_step()
            raise

    def _source_connector(self) -> Source:
        if not self._context.tool_instances:
            raise ConfigurationError("the workflow has no tools: add one under `tools`")
        if self._source is None:
            self._source = open_source(
                self._context, Path(self._settings.execution_storage_root), self._settings.source_still_seconds
            )
        return self._source

    def _deliver(self, delivery: Delivery, *, already_failed: bool = False) -> Delivered:
        """``already_failed``: an earlier delivery failed, and part of it may be at the destination."""
        if self._sink is None:
            created_at = self._context.execution.created_at
            self._sink = open_sink(self._context.destination_config, _origin(self._context), created_at)
        sink = self._sink
        started = already_failed

        def once() -> Delivered:
            nonlocal started
            point("delivery.before", delivery.file.file_name)
            self._leases.require(delivery.file_execution_id, started=started)
            started = True
            delivered = sink.deliver(delivery)
            point("delivery.written", delivery.file.file_name)
            return delivered

        attempts = min(DELIVERY_ATTEMPTS, DELIVERY_ATTEMPTS_AFTER) if self._sink_is_away else DELIVERY_ATTEMPTS
        attempts = 1 if already_failed else attempts  # the wait for the destination is used up
        try:
            # A delivery that was started is completed, also when the execution or the worker is to stop.
            delivered = retrying(once, attempts=attempts, seconds=DELIVERY_SECONDS, stoppable=False)
        except DestinationUnavailable:
            self._sink_is_away = True
            raise
        self._sink_is_away = False
        return delivered

    def _deliver_error(self, attempt: Attempt) -> bool:
        """Have the destination keep the error, or remove what it has of the file. False when the lease is lost."""
        already_failed = attempt.outcome.error_code == DestinationUnavailable.code
        try:
            attempt.delivered(self._deliver(attempt.delivery(), already_failed=already_failed))
        except Fenced:
            return False
        except (DocfleetError, OSError) as error:
            # The cause of the file's failure stays the reported one.
            log.warning("destination.error_row_failed", error=str(error))
        return True


def _origin(context: ExecutionContext) -> str:
    """Workflow and source. Another workflow or source may have a document of the same path and the same destination."""
    path = context.source_config.connector_settings.get("path", "")
    return f"{context.workflow_definition.workflow_name}\0{path}"


def _as_failure(error: Exception) -> DocfleetError:
    if isinstance(error, DocfleetError):
        return error
    if not isinstance(error, OSError):
        log.exception("file.crashed")
        return DocfleetError(f"internal error while the file was processed: {type(error).__name__}: {error}")
    return DocfleetError(f"the file could not be stored while it was processed: {error.strerror or error}")
