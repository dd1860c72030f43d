"""One attempt at a file: its claim, its working folder, its lines, its outcome."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any

import msgspec
import structlog

from docfleet.core.batch_calls import FileClaim
from docfleet.core.errors import DocfleetError
from docfleet.core.execution import ExecutionContext
from docfleet.core.faults import point
from docfleet.core.results import FileOutcome
from docfleet.core.runs import RunLimits, RunLine, RunRequest, RunState
from docfleet.core.status import ExecutionStatus
from docfleet.core.storage import (
    EVIDENCE,
    INFILE,
    METADATA,
    SOURCE,
    evidence_folder,
    file_folder,
    resolve_folder,
    safe_segment,
)
from docfleet.workers.shared.clients.tool_client import ToolClient
from docfleet.workers.shared.infrastructure.config.settings import WorkerSettings
from docfleet.workers.shared.workflow.connectors.destination import Delivered, Delivery
from docfleet.workers.shared.workflow.connectors.source import Source
from docfleet.workers.shared.workflow.execution import steps
from docfleet.workers.shared.workflow.execution.file_lines import FileLines
from docfleet.workers.shared.workflow.execution.lease import LeaseKeeper
from docfleet.workers.shared.workflow.execution.steps import StepResults

log = structlog.get_logger()

RUN_NICE = 10
"""The niceness of the tools of runs: on a busy machine those of calls go first."""
TEXT_BYTES = 1024 * 1024
"""The most bytes of a document's text that are kept for a caller who requests it."""


class Attempt:
    """From the claim of a file to its outcome. ``outcome`` is COMPLETED until ``fail``."""

    def __init__(
        self, claim: FileClaim, context: ExecutionContext, settings: WorkerSettings, leases: LeaseKeeper
    ) -> None:
        self.claim = claim
        self.lines = FileLines(claim)
        self.outcome = FileOutcome(
            file_execution_id=claim.file_execution_id, attempt=claim.attempt, status=ExecutionStatus.COMPLETED
        )
        self._context = context
        self._settings = settings
        self._leases = leases
        self._root = Path(settings.execution_storage_root)
        # One folder per attempt: a worker that was considered dead cannot write into its successor's.
        self._relative_folder = file_folder(
            context.organization_context.organization_id,
            context.execution.workflow_id,
            context.execution.id,
            f"{claim.file_execution_id}.{claim.attempt}",
        )
        self.folder = resolve_folder(self._root, self._relative_folder)
        self.step_paths: list[str] = []
        """The paths of the kept results of the steps; empty before the tools ran."""
        self._metadata = _metadata(claim, context)
        self._states: list[RunState] = []
        self._text: str | None = None
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long the attempt has taken so far."""
        return time.monotonic() - self._started

    def require_lease(self) -> None:
        """Raise ``Fenced`` unless the file is certainly still ours."""
        self._leases.require(self.claim.file_execution_id)

    def fetch(self, source: Source) -> None:
        """Bring the file's bytes into an empty folder, beside a METADATA.json without steps."""
        # An earlier attempt that died may have left half a file.
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        source_hash = source.fetch(self.claim.file, self.folder / SOURCE)
        self._metadata["source_hash"] = source_hash
        # A hard link is safe: a tool's output replaces INFILE by a rename, and never writes into it.
        (self.folder / INFILE).hardlink_to(self.folder / SOURCE)
        (self.folder / METADATA).write_bytes(msgspec.json.encode(self._metadata))
        self.outcome.file_hash = source_hash
        point("file.fetched", self.claim.file.file_name)

    def run_tools(self, tools: ToolClient) -> None:
        """Use the finished steps of earlier attempts, and run the others."""
        results = self._step_results()
        for step in results.resume(self.folder):
            self._states.append(step.state)
            number = len(self._states)
            self.lines.step_kept(number, self._context.tool_instances[number - 1].tool_id)
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                self._read_text(step.state, step.result)
            self._add_cost(step.state, counted=step.counted)
        for number in range(len(self._states) + 1, len(self._context.tool_instances) + 1):
            point("tool.before", self.claim.file.file_name)
            state = self._run_tool(tools, number)
            results.keep(number, self.folder, msgspec.structs.replace(state, lines=[]))
            point("tool.done", self.claim.file.file_name)
            self._states.append(state)
            self._read_text(state, self.folder / INFILE)
            self._add_cost(state)

    def delivery(self) -> Delivery:
        """The delivery for the sink: the result in the folder, or the error of the outcome."""
        failed = self.outcome.error is not None
        file_execution_id = self.claim.file_execution_id
        return Delivery(
            execution_id=self._context.execution.id,
            file_execution_id=file_execution_id,
            attempt=self.claim.attempt,
            require=lambda: self._leases.require(file_execution_id, started=True),
            file=self.claim.file,
            folder=self.folder,
            error=self.outcome.error,
            metadata=self._metadata,
            text=None if failed else self._text,
            metrics={} if failed else self._metrics(),
            result_bytes=self._settings.run_limits.result_bytes,
        )

    def delivered(self, delivered: Delivered) -> None:
        """Write the delivery into the outcome."""
        self.outcome.outputs, self.outcome.digest = delivered.outputs, delivered.digest
        self.outcome.result, self.outcome.metadata = delivered.result, delivered.metadata

    def keep_evidence(self) -> None:
        """Keep the evidence for a delivered result when its folder is removed. Never raises: the result is delivered.

        The result of an API's run has its evidence in itself, and lives as long.
        """
        if self._context.destination_config.is_api or not (self.folder / EVIDENCE).exists():
            return
        try:
            folder = evidence_folder(
                self._root, self._context.organization_context.organization_id, self._context.execution.id
            )
            folder.mkdir(parents=True, exist_ok=True)
            (self.folder / EVIDENCE).replace(folder / f"{safe_segment(self.claim.file_execution_id)}.json")
        except OSError as error:
            log.warning("evidence.not_kept", error=str(error))

    def remove_last_step(self) -> None:
        """Remove the last tool's result, which is at fault: the next attempt has to run that tool again."""
        steps.remove(self.step_paths[-1])

    def fail(self, failure: DocfleetError) -> None:
        """The outcome is an error."""
        self.outcome.status = ExecutionStatus.ERROR
        self.outcome.error, self.outcome.error_code = failure.message, failure.code

    def remove_folder(self) -> None:
        """Delete the working folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _step_results(self) -> StepResults:
        results = StepResults(self._root, self._context, self._metadata)
        self.step_paths = results.paths
        anew = not self._context.use_file_history and self._context.execution.retry_of is None
        if anew:
            # A run without history uses no steps of earlier runs, only its own after a crash. (The attempt's number
            # does not distinguish them: a claim may be lost or released before the file was started.)
            results.remove_others()
        return results

    def _run_tool(self, tools: ToolClient, step: int) -> RunState:
        tool = self._context.tool_instances[step - 1]
        file_execution_id = self.claim.file_execution_id
        run_id = f"{file_execution_id}.{self.claim.attempt}.{step}"
        request = RunRequest(
            tool_id=tool.tool_id,
            folder=self._relative_folder,
            step=step,
            settings=tool.metadata,
            limits=self._run_limits(),
            organization_id=self._context.organization_context.organization_id,
            execution_id=self._context.execution.id,
            file_execution_id=file_execution_id,
        )

        def publish(lines: list[RunLine]) -> None:
            self.lines.tool_output(step, tool.tool_id, lines)

        with self._leases.interrupting(file_execution_id, lambda: tools.kill(run_id)):
            state = tools.run(
                run_id, request, should_stop=lambda: self._leases.is_lost(file_execution_id), on_lines=publish
            )
        self.lines.step_done(step, tool.tool_id, state)
        return state

    def _run_limits(self) -> RunLimits:
        limits = self._settings.run_limits
        # Somebody waits for the answer of a call, and nobody for a file of a run.
        return limits if self._context.destination_config.is_api else msgspec.structs.replace(limits, nice=RUN_NICE)

    def _read_text(self, state: RunState, result: Path) -> None:
        """Keep what a step read from the document, for a caller of an API."""
        if self._context.destination_config.is_api and state.tool_metadata.get("output_type") == "TXT":
            with result.open("rb") as file:
                self._text = file.read(TEXT_BYTES).decode("utf-8", "replace") or self._text

    def _add_cost(self, state: RunState, *, counted: bool = False) -> None:
        self.outcome.pages = max(self.outcome.pages, int(state.tool_metadata.get("pages") or 0))
        if not counted:
            self.outcome.usage = {**self.outcome.usage, **(state.tool_metadata.get("usage") or {})}

    def _metrics(self) -> dict[str, Any]:
        """What the steps cost: seconds and bytes."""
        return {
            "steps": [
                {
                    "tool_id": tool.tool_id,
                    "step": tool.step,
                    "elapsed_time": round((state.finished_at or state.started_at) - state.started_at, 4),
                    "cpu_seconds": state.cpu_seconds,
                    "max_rss_bytes": state.max_rss_bytes,
                }
                for tool, state in zip(self._context.tool_instances, self._states, strict=False)
            ]
        }


def _metadata(claim: FileClaim, context: ExecutionContext) -> dict[str, Any]:
    """METADATA.json before the first step: what the tools know about the file."""
    options = {name: value for name, value in msgspec.to_builtins(context.options).items() if value}
    return {
        "source_name": claim.file.file_name,
        # The place where an upload is staged is internal.
        "source_path": claim.file.file_name if context.source_config.is_api else claim.file.file_path,
        "source_hash": claim.file.file_hash,
        "organization_id": context.organization_context.organization_id,
        "workflow_id": context.execution.workflow_id,
        "execution_id": context.execution.id,
        "file_execution_id": claim.file_execution_id,
        "tags": [tag.name for tag in context.execution.tags],
        "workflow_start_time": time.time(),
        # A tool that is not the last one leaves more for those that follow.
        "steps": len(context.tool_instances),
        "tool_metadata": [],
        "total_elapsed_time": 0.0,
        **options,
    }
