"""Shows a running execution: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.status import Status

from docfleet.core.management.executions import ExecutionState
from docfleet.core.status import ExecutionStatus

LINE_SECONDS = 5.0
_DONE = (ExecutionStatus.COMPLETED, ExecutionStatus.ERROR, ExecutionStatus.STOPPED)


class ExecutionView:
    """Shows a person the progress of an execution. A context manager; ``print_line`` prints a line above the bar."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = console.is_terminal
        self._status: Status | None = None
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:.0f}/{task.total:.0f} files"),
            TextColumn("{task.fields[failed]}"),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=0, failed="", rate="", visible=False, start=False)
        self._started_at: float | None = None
        self._last_line = 0.0
        self._last_text = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_status()
        if self._live:
            self._bar.stop()

    def print_line(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def phase(self, text: str) -> None:
        """Show what the command waits for."""
        if self._live:
            self._end_status()
            self._bar.stop()
            self._status = self._console.status(text)
            self._status.start()
        else:
            self.print_line(text)

    def update(self, state: ExecutionState) -> None:
        """Show the newest state of the execution."""
        done = sum(state.counts.get(status, 0) for status in _DONE)
        total = max(state.execution.total_files, sum(state.counts.values()))
        failed = state.counts.get(ExecutionStatus.ERROR, 0)
        now = time.monotonic()
        if self._started_at is None:
            if not total:
                return
            self._started_at = now
            self._bar.start_task(self._task)
        elapsed = now - self._started_at
        rate = f"{done / elapsed:.1f} files/s" if done and elapsed > 1 else ""
        if self._live:
            self._end_status()
            self._bar.start()
            colour = "red" if failed else "dim"
            self._bar.update(
                self._task,
                description="stopping"
                if state.stopping or state.execution.status == ExecutionStatus.STOPPED
                else "processing",
                completed=done,
                total=total,
                failed=f"[{colour}]{failed} failed[/{colour}]",
                rate=rate,
                visible=True,
            )
        else:
            self._line(f"{done}/{total} files, {failed} failed{', ' + rate if rate else ''}", now)

    def _line(self, text: str, now: float) -> None:
        if text != self._last_text and now - self._last_line >= LINE_SECONDS:
            self.print_line(text)
            self._last_text, self._last_line = text, now

    def _end_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
