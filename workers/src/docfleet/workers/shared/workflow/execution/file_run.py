"""One file: fetch, run the tools, deliver. Whatever happens to it stays with it."""

from __future__ import annotations

import contextlib
import errno
import shutil
import time
from pathlib import Path
from typing import Any

import msgspec
import structlog
from billiard.exceptions import SoftTimeLimitExceeded

from docfleet.core.batch_calls import FileClaim
from docfleet.core.errors import (
    ConfigurationError,
    DependencyError,
    DestinationUnavailable,
    DocfleetError,
    Fenced,
    StorageFull,
    ToolError,
    ToolStopped,
)
from docfleet.core.execution import ExecutionContext
from docfleet.core.faults import point
from docfleet.core.results import FileOutcome
from docfleet.core.runs import RunRequest, RunState
from docfleet.core.status import ExecutionStatus
from docfleet.core.storage import INFILE, METADATA, SOURCE, file_folder, resolve_folder
from docfleet.workers.shared.clients.tool_client import ToolClient
from docfleet.workers.shared.infrastructure.config.settings import WorkerSettings
from docfleet.workers.shared.infrastructure.patterns.retry import retrying
from docfleet.workers.shared.workflow.connectors.destination import Delivered, Delivery, Sink, open_sink
from docfleet.workers.shared.workflow.connectors.source import Source, open_source
from docfleet.workers.shared.workflow.execution import steps
from docfleet.workers.shared.workflow.execution.file_lines import FileLines
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper
from docfleet.workers.shared.workflow.execution.steps import StepResults

log = structlog.get_logger()

DELIVERY_ATTEMPTS = 8
"""With the waits between them (0.1 s, doubled each time) enough for a database to restart: 13 seconds at least."""
DELIVERY_ATTEMPTS_AFTER = 5
"""Once a file has waited so in vain, those after it need not."""
DELIVERY_SECONDS = 60.0
TEXT_BYTES = 1024 * 1024
"""How much of a document's text is kept for a caller who asks for the extracted text."""


class FileRun:
    """Processes the files of one batch, one after another. Connectors are made on first use, in this process."""

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
        self._kept: dict[str, list[str]] = {}

    def process(self, claim: FileClaim) -> FileOutcome | None:
        """The outcome to report, or ``None`` when the file is not ours any more. Never raises for a reason that
        lies in the file, its tools or its destination. Raises ``DependencyError`` when the runner stays away."""
        started = time.monotonic()
        outcome = FileOutcome(
            file_execution_id=claim.file_execution_id, attempt=claim.attempt, status=ExecutionStatus.COMPLETED
        )
        folder = self._folder(claim)
        lines = FileLines(claim)
        with structlog.contextvars.bound_contextvars(file_execution_id=claim.file_execution_id):
            try:
                lines.begun(self._context.execution.total_files)
                self._run(claim, folder, outcome, lines)
                lines.delivered(time.monotonic() - started)
            except (Fenced, ToolStopped) as error:
                log.warning("file.abandoned", file=claim.file.file_name, reason=error.code)
                lines.given_up(error.message)
                return None
            except (SoftTimeLimitExceeded, DependencyError):
                raise
            except Exception as error:  # noqa: BLE001 - the boundary of a file: its neighbours go on
                failure = _as_failure(error)
                outcome.status = ExecutionStatus.ERROR
                outcome.error, outcome.error_code = failure.message, failure.code
                if not self._deliver_error(claim, folder, outcome):
                    return None
                log.warning("file.failed", file=claim.file.file_name, code=failure.code, error=failure.message)
                lines.failed(failure.message)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        outcome.execution_time = round(time.monotonic() - started, 4)
        return outcome

    def reported(self, outcomes: list[FileOutcome]) -> None:
        """These outcomes are written: the step results of a COMPLETED file go, what a failed one cost is counted."""
        for outcome in outcomes:
            for place in self._kept.pop(outcome.file_execution_id, []):
                if outcome.status is ExecutionStatus.COMPLETED:
                    steps.remove(place)
                else:
                    steps.note_counted(place)

    def close(self) -> None:
        """Close the connectors."""
        for part in (self._source, self._sink):
            if part is not None:
                part.close()

    def _run(self, claim: FileClaim, folder: Path, outcome: FileOutcome, lines: FileLines) -> None:
        # A worker that was away for long may have lost the rest of its page: no tool runs for those.
        self._leases.require(claim.file_execution_id)
        outcome.file_hash = self._fetch(claim, folder)
        point("file.fetched", claim.file.file_name)
        kept = self._step_results(claim, outcome.file_hash)
        text: str | None = None
        states: list[RunState] = []
        for step in kept.resume(folder):
            states.append(step.state)
            lines.step_kept(len(states), self._context.tool_instances[len(states) - 1].tool_id)
            with contextlib.suppress(FileNotFoundError):  # removed since
                text = self._text(step.state, step.result) or text
            _add_cost(outcome, step.state, counted=step.counted)
        for number in range(len(states) + 1, len(self._context.tool_instances) + 1):
            point("tool.before", claim.file.file_name)
            state = self._run_tool(claim, number, lines)
            kept.keep(number, folder, msgspec.structs.replace(state, lines=[]))
            point("tool.done", claim.file.file_name)
            states.append(state)
            text = self._text(state, folder / INFILE) or text
            _add_cost(outcome, state)
        delivery = msgspec.structs.replace(self._delivery(claim, folder), text=text, metrics=self._metrics(states))
        try:
            self._note(outcome, self._deliver(delivery))
        except ToolError:
            # What the last tool made is at fault: the next attempt has to run it again.
            steps.remove(kept.places[-1])
            raise

    def _step_results(self, claim: FileClaim, source_hash: str) -> StepResults:
        root = Path(self._settings.execution_storage_root)
        kept = StepResults(root, self._context, self._metadata(claim, source_hash))
        self._kept[claim.file_execution_id] = kept.places
        anew = not self._context.use_file_history and self._context.execution.retry_of is None
        if anew:
            # Whoever wants nothing of the past gets none of its steps; only its own, after a crash. (An attempt that
            # is not the first says nothing: a claim may be lost or given back before the file was begun.)
            kept.forget_others()
        return kept

    def _text(self, state: RunState, result: Path) -> str | None:
        """What a step read from the document, for a caller of an API."""
        if not self._context.destination_config.is_api or state.tool_metadata.get("output_type") != "TXT":
            return None
        return _read_text(result)

    def _run_tool(self, claim: FileClaim, step: int, lines: FileLines) -> RunState:
        tool = self._context.tool_instances[step - 1]
        run_id = f"{claim.file_execution_id}.{claim.attempt}.{step}"
        request = RunRequest(
            tool_id=tool.tool_id,
            folder=self._relative(claim),
            step=step,
            settings=tool.metadata,
            limits=self._settings.run_limits,
            organization_id=self._context.organization_context.organization_id,
            execution_id=self._context.execution.id,
            file_execution_id=claim.file_execution_id,
        )
        with self._leases.interrupting(claim.file_execution_id, lambda: self._tools.kill(run_id)):
            state = self._tools.run(
                run_id,
                request,
                should_stop=lambda: self._leases.is_lost(claim.file_execution_id),
                tell=lambda said: lines.said(step, tool.tool_id, said),
            )
        lines.step_done(step, tool.tool_id, state)
        return state

    def _metrics(self, states: list[RunState]) -> dict[str, Any]:
        """What the steps cost: seconds and bytes."""
        steps = [
            {
                "tool_id": tool.tool_id,
                "step": tool.step,
                "elapsed_time": round((state.finished_at or state.started_at) - state.started_at, 4),
                "cpu_seconds": state.cpu_seconds,
                "max_rss_bytes": state.max_rss_bytes,
            }
            for tool, state in zip(self._context.tool_instances, states, strict=True)
        ]
        return {"steps": steps}

    def _fetch(self, claim: FileClaim, folder: Path) -> str:
        """Bring the bytes into the execution folder; returns their SHA-256."""
        if not self._context.tool_instances:
            raise ConfigurationError("the workflow has no tools: add one under `tools`")
        if self._source is None:
            self._source = open_source(self._context, Path(self._settings.execution_storage_root))
        # An earlier attempt that died may have left a half: each attempt begins with an empty folder of its own.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        source_hash = self._source.fetch(claim.file, folder / SOURCE)
        # Two names of the same bytes: a tool's output replaces INFILE by a rename and never writes into it.
        (folder / INFILE).hardlink_to(folder / SOURCE)
        (folder / METADATA).write_bytes(msgspec.json.encode(self._metadata(claim, source_hash)))
        return source_hash

    def _metadata(self, claim: FileClaim, source_hash: str) -> dict[str, Any]:
        execution = self._context.execution
        options = {name: value for name, value in msgspec.to_builtins(self._context.options).items() if value}
        return {
            "source_name": claim.file.file_name,
            # Where an upload is staged is nobody's business outside.
            "source_path": claim.file.file_name if self._context.source_config.is_api else claim.file.file_path,
            "source_hash": source_hash,
            "organization_id": self._context.organization_context.organization_id,
            "workflow_id": execution.workflow_id,
            "execution_id": execution.id,
            "file_execution_id": claim.file_execution_id,
            "tags": [tag.name for tag in execution.tags],
            "workflow_start_time": time.time(),
            "tool_metadata": [],
            "total_elapsed_time": 0.0,
            **options,
        }

    def _deliver(self, delivery: Delivery, *, in_vain: bool = False) -> Delivered:
        """``in_vain``: the result could not be delivered, and nobody knows how much of it is there."""
        if self._sink is None:
            self._sink = open_sink(self._context.destination_config, _origin(self._context))
        sink = self._sink
        begun = in_vain

        def once() -> Delivered:
            nonlocal begun
            point("delivery.before", delivery.file.file_name)
            self._leases.require(delivery.file_execution_id, begun=begun)
            begun = True
            delivered = sink.deliver(delivery)
            point("delivery.written", delivery.file.file_name)
            return delivered

        attempts = min(DELIVERY_ATTEMPTS, DELIVERY_ATTEMPTS_AFTER) if self._sink_is_away else DELIVERY_ATTEMPTS
        attempts = 1 if in_vain else attempts  # it has been waited for already
        try:
            delivered = retrying(once, attempts=attempts, seconds=DELIVERY_SECONDS)
        except DestinationUnavailable:
            self._sink_is_away = True
            raise
        self._sink_is_away = False
        return delivered

    def _deliver_error(self, claim: FileClaim, folder: Path, outcome: FileOutcome) -> bool:
        """Tell the destination that the file failed: it keeps the error, or takes back what it has of the file. False
        when the file is not ours."""
        in_vain = outcome.error_code == DestinationUnavailable.code
        try:
            self._note(outcome, self._deliver(self._delivery(claim, folder, outcome.error), in_vain=in_vain))
        except Fenced:
            return False
        except (DocfleetError, OSError) as error:
            # The file's own cause stays the reported one.
            log.warning("destination.error_row_failed", error=str(error))
        return True

    @staticmethod
    def _note(outcome: FileOutcome, delivered: Delivered) -> None:
        outcome.outputs, outcome.digest = delivered.outputs, delivered.digest
        outcome.result, outcome.metadata = delivered.result, delivered.metadata

    def _delivery(self, claim: FileClaim, folder: Path, error: str | None = None) -> Delivery:
        return Delivery(
            execution_id=self._context.execution.id,
            file_execution_id=claim.file_execution_id,
            attempt=claim.attempt,
            require=lambda: self._leases.require(claim.file_execution_id, begun=True),
            file=claim.file,
            folder=folder,
            error=error,
            metadata=self._metadata(claim, claim.file.file_hash),
        )

    def _relative(self, claim: FileClaim) -> str:
        # A folder an attempt: a worker that was taken for dead cannot write into its successor's.
        return file_folder(
            self._context.organization_context.organization_id,
            self._context.execution.workflow_id,
            self._context.execution.id,
            f"{claim.file_execution_id}.{claim.attempt}",
        )

    def _folder(self, claim: FileClaim) -> Path:
        return resolve_folder(Path(self._settings.execution_storage_root), self._relative(claim))


def _origin(context: ExecutionContext) -> str:
    """Workflow and source: another one may have a document of the same path, and deliver into the same folder."""
    place = context.source_config.connector_settings.get("path", "")
    return f"{context.workflow_definition.workflow_name}\0{place}"


def _add_cost(outcome: FileOutcome, state: RunState, *, counted: bool = False) -> None:
    outcome.pages = max(outcome.pages, int(state.tool_metadata.get("pages") or 0))
    if not counted:
        outcome.usage = {**outcome.usage, **(state.tool_metadata.get("usage") or {})}


def _read_text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(TEXT_BYTES).decode("utf-8", "replace")


def _as_failure(error: Exception) -> DocfleetError:
    if isinstance(error, DocfleetError):
        return error
    if not isinstance(error, OSError):
        log.exception("file.crashed")
        return DocfleetError(f"internal error while the file was processed: {type(error).__name__}: {error}")
    kind = StorageFull if error.errno == errno.ENOSPC else DocfleetError
    return kind(f"the file could not be stored while it was processed: {error.strerror or error}")
