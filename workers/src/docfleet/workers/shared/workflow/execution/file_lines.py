"""What users are told about one file: that it began, what its tools said, how it ended."""

from __future__ import annotations

from docfleet.core.batch_calls import FileClaim
from docfleet.core.log_events import LogLevel, LogStage
from docfleet.core.runs import RunLine, RunState
from docfleet.workers.shared.infrastructure.logging.workflow_log import WorkflowLogger


class FileLines:
    """The lines of one attempt at a file."""

    def __init__(self, claim: FileClaim) -> None:
        self._name = claim.file.file_name
        self._number = claim.file.file_number
        self._attempt = claim.attempt
        self._id = claim.file_execution_id

    def begun(self, total: int) -> None:
        """It is taken up."""
        again = f" (attempt {self._attempt})" if self._attempt > 1 else ""
        self._line(
            LogLevel.INFO,
            LogStage.PROCESSING,
            f"{self._name}: begun{again}",
            iteration=self._number,
            iteration_total=total or None,
        )

    def step_kept(self, step: int, tool_id: str) -> None:
        """The result of a step of an earlier attempt is used."""
        text = f"{self._name}: step {step} ({tool_id}) was done before and is not repeated"
        self._line(LogLevel.INFO, LogStage.TOOL, text, step=step)

    def said(self, step: int, tool_id: str, lines: list[RunLine]) -> None:
        """The tool's own words."""
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
        """Its result is where it belongs."""
        self._line(LogLevel.INFO, LogStage.DESTINATION, f"{self._name}: delivered after {seconds:.2f} s")

    def failed(self, reason: str) -> None:
        """It failed, in the words that its row has, too."""
        self._line(LogLevel.ERROR, LogStage.PROCESSING, f"{self._name}: {reason}")

    def given_up(self, reason: str) -> None:
        """It is somebody else's, or nobody's, from now on."""
        self._line(LogLevel.WARN, LogStage.PROCESSING, f"{self._name}: left by this worker: {reason}")

    def _line(self, level: LogLevel, stage: LogStage, text: str, **more: object) -> None:
        WorkflowLogger.put(level, stage, text, file_execution_id=self._id, **more)
