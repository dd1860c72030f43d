"""The lines that users see about one file: its start, the output of its tools, its end."""

from __future__ import annotations

from docfleet.core.batch_calls import FileClaim
from docfleet.core.log_events import LogLevel, LogStage
from docfleet.core.runs import RunLine, RunState
from docfleet.core.waiting import Wait
from docfleet.workers.shared.infrastructure.logging.workflow_log import WorkflowLogger


class FileLines:
    """The lines of one attempt at a file."""

    def __init__(self, claim: FileClaim) -> None:
        self._name = claim.file.file_name
        self._number = claim.file.file_number
        self._attempt = claim.attempt
        self._id = claim.file_execution_id

    def started(self, total: int) -> None:
        """The attempt starts; ``total`` is the number of files of the execution, 0 when it is not known."""
        again = f" (attempt {self._attempt})" if self._attempt > 1 else ""
        self._line(
            LogLevel.INFO,
            LogStage.PROCESSING,
            f"{self._name}: started{again}",
            iteration=self._number,
            iteration_total=total or None,
        )

    def step_kept(self, step: int, tool_id: str) -> None:
        """The result of a step of an earlier attempt is used."""
        text = f"{self._name}: step {step} ({tool_id}) was done before and is not repeated"
        self._line(LogLevel.INFO, LogStage.TOOL, text, step=step)

    def tool_output(self, step: int, tool_id: str, lines: list[RunLine]) -> None:
        """Lines that the tool wrote."""
        for line in lines:
            if line.state:
                WorkflowLogger.update(
                    tool_id,
                    line.state,
                    line.text,
                    stage=LogStage.TOOL.value,
                    step=step,
                    timestamp=line.timestamp,
                    file_execution_id=self._id,
                )
            else:
                level, text = LogLevel.of(line.level), f"{tool_id}: {line.text}"
                self._line(level, LogStage.TOOL, text, step=step, timestamp=line.timestamp)

    def step_done(self, step: int, tool_id: str, state: RunState) -> None:
        """A step succeeded."""
        seconds = max(0.0, (state.finished_at or state.started_at) - state.started_at)
        text = f"{self._name}: step {step} ({tool_id}) done in {seconds:.2f} s"
        self._line(LogLevel.INFO, LogStage.TOOL, text, step=step)

    def delivered(self, seconds: float) -> None:
        """Its result is at the destination."""
        self._line(LogLevel.INFO, LogStage.DESTINATION, f"{self._name}: delivered after {seconds:.2f} s")

    def failed(self, reason: str) -> None:
        """It failed; the row has the same reason."""
        self._line(LogLevel.ERROR, LogStage.PROCESSING, f"{self._name}: {reason}")

    def waits(self, wait: Wait) -> None:
        """It cannot be worked on at present."""
        self._line(LogLevel.WARN, LogStage.PROCESSING, f"{self._name}: waits: {wait.detail}")

    def given_up(self, reason: str) -> None:
        """This worker stops processing it; another one may continue."""
        self._line(LogLevel.WARN, LogStage.PROCESSING, f"{self._name}: left by this worker: {reason}")

    def _line(self, level: LogLevel, stage: LogStage, text: str, **more: object) -> None:
        WorkflowLogger.put(level, stage, text, file_execution_id=self._id, **more)
