"""The result of an execution: as one JSON object, and as a page for people."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from docfleet.cli.show import terminal
from docfleet.cli.workflow_file import PATH_SETTING
from docfleet.core.exit_codes import ExitCode
from docfleet.core.management.executions import ExecutionState, FileOfExecution
from docfleet.core.status import EmptyReason, ExecutionStatus, SkipReason, is_fault, skip_words

SHOWN_FAILURES = 20
SHOWN_ROWS = 3
_READABLE_WIDTH = 26
_BOOKKEEPING = {
    "id",
    "created_by",
    "created_at",
    "metadata",
    "status",
    "error_message",
    "file_execution_id",
    "execution_id",
}
_EMPTY = {
    EmptyReason.NO_MATCH: "no file in the source matched",
    EmptyReason.ALL_FILTERED: "every file of the source was skipped",
}


@dataclass(frozen=True)
class RunResult:
    """The end of one execution. ``files`` holds all of them, or only what the page shows.

    ``rows`` are examples of what was written, ``note`` is a further sentence (such as why it was stopped).
    """

    workflow_name: str
    state: ExecutionState
    files: list[FileOfExecution]
    duration: float
    destination: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    note: str = ""

    @property
    def exit_code(self) -> ExitCode:
        """0 only when every file succeeded; 3 when some failed, or entries of the source cannot be read; 1
        otherwise."""
        if self.state.execution.status != ExecutionStatus.COMPLETED:
            return ExitCode.FAILURE
        return ExitCode.PARTIAL if self.has_failures or self.unread else ExitCode.SUCCESS

    @property
    def has_failures(self) -> bool:
        """Whether files failed or were stopped."""
        counts = self.state.counts
        return bool(counts.get(ExecutionStatus.ERROR, 0) + counts.get(ExecutionStatus.STOPPED, 0))

    @property
    def unread(self) -> int:
        """The number of entries of the source that cannot be read."""
        return sum(number for reason, number in self.state.skipped.items() if is_fault(reason))


def as_json(result: RunResult) -> str:
    """One JSON object; its keys are a contract with scripts. ``error`` is there when the execution failed,
    ``empty_reason`` when it had nothing to do, ``skipped`` and ``skipped_examples`` when entries of the source were
    left out."""
    execution = result.state.execution
    extra = {
        "skipped": {reason: number for reason, number in result.state.skipped.items() if number},
        "skipped_examples": result.state.skipped_examples,
        "error": execution.error_message,
        "empty_reason": execution.empty_reason,
    }
    return (
        json.dumps(
            {
                "execution_id": execution.id,
                "status": execution.status,
                "total_files": _total(result.state),
                "successful_files": result.state.counts.get(ExecutionStatus.COMPLETED, 0),
                "failed_files": result.state.counts.get(ExecutionStatus.ERROR, 0),
                "skipped_files": sum(result.state.skipped.values()),
                "duration_s": round(result.duration, 3),
                "files": [
                    {
                        "name": file.name,
                        "path": file.path,
                        "status": file.status,
                        "error": file.error,
                        "outputs": file.outputs,
                    }
                    for file in result.files
                ],
                "destination": result.destination,
                **{key: value for key, value in extra.items() if value},
            },
            ensure_ascii=not terminal.is_unicode(sys.stdout),
            default=str,
        )
        .encode("utf-8", "backslashreplace")
        .decode()
    )


def show(console: Console, result: RunResult) -> None:
    """Print the page."""
    execution = result.state.execution
    console.print()
    console.print(_headline(result))
    if execution.error_message:
        console.print(Text(f"  {execution.error_message}", style="red"))
    if result.note:
        console.print(Text(f"  {result.note}", style="yellow"))
    console.print(Text(f"  {_counts(result.state)}"))
    for reason, number in sorted(result.state.skipped.items()):
        if number:
            style = "yellow" if is_fault(reason) else "dim"
            console.print(Text(f"  {number} {skip_words(reason)}{_examples(result.state, reason)}", style=style))
    if execution.empty_reason:
        console.print(Text(f"  nothing to do: {_EMPTY[execution.empty_reason]}"))
    _show_failures(console, result)
    _show_destination(console, result)
    console.print(Text(f"\nexecution {execution.id}", style="dim"))


def _headline(result: RunResult) -> Text:
    status = result.state.execution.status
    style = {ExitCode.SUCCESS: "bold green", ExitCode.PARTIAL: "bold yellow"}.get(result.exit_code, "bold red")
    word = str(status)
    if result.exit_code == ExitCode.PARTIAL:
        word += ", some files failed" if result.has_failures else ", some entries of the source were not read"
    return Text.assemble(
        (plain(result.workflow_name), "bold"), ": ", (word, style), f" in {_duration(result.duration)}"
    )


def _examples(state: ExecutionState, reason: str) -> str:
    """The first paths, where somebody may have to look at them."""
    paths = state.skipped_examples.get(reason, [])
    if not paths or reason == SkipReason.ALREADY_PROCESSED:
        return ""
    more = ", …" if state.skipped[reason] > len(paths) else ""
    return f": {', '.join(map(plain, paths))}{more}"


def _counts(state: ExecutionState) -> str:
    words = {
        ExecutionStatus.COMPLETED: "successful",
        ExecutionStatus.ERROR: "failed",
        ExecutionStatus.STOPPED: "stopped",
        ExecutionStatus.EXECUTING: "still executing",
        ExecutionStatus.PENDING: "not started",
    }
    parts = [f"{state.counts[status]} {word}" for status, word in words.items() if state.counts.get(status)]
    if skipped := sum(state.skipped.values()):
        parts.append(f"{skipped} skipped")
    total = _total(state)
    return f"{total} file{'' if total == 1 else 's'}" + (": " + ", ".join(parts) if parts else "")


def _show_failures(console: Console, result: RunResult) -> None:
    failed = [file for file in result.files if file.status == ExecutionStatus.ERROR]
    if not failed:
        return
    table = Table(box=None, padding=(0, 2), show_header=False, title="Failed files", title_justify="left")
    table.add_column(overflow="fold", max_width=max(20, console.width * 2 // 5))
    table.add_column(overflow="fold")
    for file in failed[:SHOWN_FAILURES]:
        table.add_row(Text(plain(file.path or file.name)), Text(plain(file.error or "no cause was recorded"), "red"))
    console.print()
    console.print(table)
    more = result.state.counts.get(ExecutionStatus.ERROR, len(failed)) - len(failed[:SHOWN_FAILURES])
    if more > 0:
        console.print(Text(f"  and {more} more (all of them with --json)", style="dim"))


def _show_destination(console: Console, result: RunResult) -> None:
    if not result.state.counts.get(ExecutionStatus.COMPLETED):
        return
    destination = result.destination
    where = str(destination.get(PATH_SETTING) or destination["connector"])
    if "table" in destination:
        console.print(
            Text.assemble("\nRows: ", (plain(where), "bold"), f", table {destination['table']}"), soft_wrap=True
        )
    else:
        console.print(Text.assemble("\nFiles: ", (plain(where), "bold")), soft_wrap=True)
        paths = [output for file in result.files for output in file.outputs][:SHOWN_ROWS]
        for path in paths:
            console.print(Text(f"  {plain(path)}"), soft_wrap=True)
    if result.rows:
        console.print(_rows_table(result.rows, console.width))


def _rows_table(rows: list[dict[str, Any]], width: int) -> Table:
    """A table of as many columns as stay readable in ``width``."""
    names = [
        name
        for name in rows[0]
        if name not in _BOOKKEEPING
        and not name.startswith("user_field_")
        and any(row.get(name) not in (None, "") for row in rows)
    ]
    names.sort(key=lambda name: name != "file_path")
    longest = {
        name: max(cell_len(text) for text in (plain(name), *(_cell(row.get(name)) for row in rows))) for name in names
    }
    widths: dict[str, int] = {}
    room = width - 1
    for name in names:
        readable = min(_READABLE_WIDTH, longest[name])
        if room < readable + 3 and len(widths) > 1:
            break
        room -= readable + 3
        widths[name] = readable
    for name in widths:
        more = max(0, min(room, longest[name] - widths[name]))
        widths[name] += more
        room -= more
    table = Table(padding=(0, 1), header_style="bold")
    for name in widths:
        table.add_column(plain(name), no_wrap=True)
    for row in rows:
        cells = [Text(_cell(row.get(name))) for name in widths]
        for cell, size in zip(cells, widths.values(), strict=True):
            cell.truncate(size, overflow="ellipsis")
        table.add_row(*cells)
    if left := names[len(widths) :]:
        table.caption = f"and {plain(', '.join(left))}"
        table.caption_justify = "left"
    return table


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict) and set(value) == {"result"}:
        value = value["result"]  # the form of a text in a JSON column
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return plain(" ".join(text.split()))


def plain(text: str) -> str:
    """``text`` on one line and harmless to a terminal: control characters and lone surrogates are escaped."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def _total(state: ExecutionState) -> int:
    return max(state.execution.total_files, sum(state.counts.values()))


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
