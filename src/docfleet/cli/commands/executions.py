"""``docfleet executions``: list, show, stop and retry executions; their logs and results."""

from __future__ import annotations

import time
from typing import Any

import click
import msgspec

from docfleet.cli.connection import connected
from docfleet.cli.management import ManagementClient
from docfleet.cli.show import terminal
from docfleet.core.errors import InvalidInput, NotFound
from docfleet.core.execution import ExecutionInfo
from docfleet.core.log_events import LogLevel
from docfleet.core.management.executions import (
    ExecutionState,
    ExecutionSummary,
    FileOfExecution,
    MissingWorkers,
    StopOutcome,
)
from docfleet.core.status import ExecutionStatus

_FILES = 50
_STOPS = {
    StopOutcome.STOPPED: "stopped",
    StopOutcome.ALREADY_ENDED: "had ended before ({status})",
    StopOutcome.STOPPING: "still stopping, a worker is at a file; repeat the command to wait on",
}


@click.group("executions")
def command() -> None:
    """Executions of a running Docfleet."""


@command.command("list")
@click.option("--status", type=click.Choice([status.value for status in ExecutionStatus]), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most so many.")
@click.option("--json", "json_output", is_flag=True, help="Print a JSON array.")
@connected
def list_command(status: str | None, limit: int, json_output: bool, client: ManagementClient) -> int:
    """The newest executions. Content that a call sent under two names is one file here: it is processed and counted
    once."""
    from docfleet.cli.show.summary import plain

    executions = client.executions(status=status, limit=limit)
    if json_output:
        _print_json([_info(entry) for entry in executions])
        return 0
    for entry in executions:
        files = f"{entry.successful_files}/{entry.total_files} ok"
        failed = f", {entry.failed_files} failed" if entry.failed_files else ""
        when = entry.created_at[:19].replace("T", " ")
        again = f"  retry of {entry.retry_of}" if entry.retry_of else ""
        click.echo(f"{entry.id}  {when}  {entry.status.value:<9}  {plain(entry.workflow_name)}  {files}{failed}{again}")
    if not executions:
        click.echo("no executions")
    return 0


@command.command("show")
@click.argument("execution_id", metavar="ID")
@click.option("--json", "json_output", is_flag=True, help="Print a JSON object.")
@connected
def show_command(execution_id: str, json_output: bool, client: ManagementClient) -> int:
    """One execution with its files."""
    from docfleet.cli.show.summary import plain

    state = client.execution(execution_id)
    if json_output:
        files = msgspec.to_builtins(client.files(execution_id))
        _print_json({**_state(state), "files": files})
        return 0
    entry = state.execution
    counts = ", ".join(f"{count} {status}" for status, count in state.counts.items() if count)
    skipped = ", ".join(f"{count} {reason}" for reason, count in state.skipped.items() if count)
    lines = [
        ("execution", entry.id),
        ("workflow", entry.workflow_name),
        ("status", entry.status.value + (" (stopping)" if state.stopping else "")),
        ("waits", state.waiting.text if state.waiting and not state.missing_workers else ""),
        ("error", entry.error_message),
        ("retry of", entry.retry_of or ""),
        ("retried by", ", ".join(state.retries)),
        ("created", entry.created_at[:19].replace("T", " ")),
        ("seconds", f"{entry.execution_time:.2f}"),
        ("files", counts or "none"),
        ("skipped", skipped),
        *(("waiting", _missing(each)) for each in state.missing_workers),
    ]
    for name, value in lines:
        if value:
            click.echo(f"{name:<11}{plain(value)}")
    for reason, paths in state.skipped_examples.items():
        click.echo(f"  {reason}: {', '.join(map(plain, paths))}")
    for file in client.files(execution_id, limit=_FILES):
        cause = f"  {file.error}" if file.error else f"  waits: {file.waiting.text}" if file.waiting else ""
        click.echo(f"  {file.file_number:>5}  {file.status:<9}  {plain(file.name)}{plain(cause)}")
    if sum(state.counts.values()) > _FILES:
        click.echo(f"  and {sum(state.counts.values()) - _FILES} more (all of them with --json)")
    return 0


@command.command("why")
@click.argument("execution_id", metavar="ID")
@click.option("--json", "json_output", is_flag=True, help="Print a JSON object.")
@connected
def why_command(execution_id: str, json_output: bool, client: ManagementClient) -> int:
    """Why an execution, and each of its open files, is not being worked on now."""
    from docfleet.cli.show.waits import lines

    reasons = client.wait_reasons(execution_id)
    if json_output:
        _print_json(msgspec.to_builtins(reasons))
        return 0
    for line in lines(reasons):
        click.echo(line)
    return 0


@command.command("stop")
@click.argument("execution_id", metavar="ID")
@click.option(
    "--wait", type=click.FloatRange(0, 3600), default=30.0, show_default=True, help="Seconds to wait for the end."
)
@click.option("--json", "json_output", is_flag=True, help="Print a JSON object.")
@connected
def stop_command(execution_id: str, wait: float, json_output: bool, client: ManagementClient) -> int:
    """Stop an execution: start nothing more, and kill the tools that run.

    Delivered files stay and count as completed. Once it reports stopped, nothing more is delivered.
    Exit code: 0 stopped (or ended before), 1 a worker still processes a file after --wait.
    """
    deadline = time.monotonic() + wait
    stop = first = client.stop_execution(execution_id, wait=wait)
    while stop.outcome is StopOutcome.STOPPING and time.monotonic() < deadline:
        stop = client.stop_execution(execution_id, wait=deadline - time.monotonic())
    if first.outcome is StopOutcome.STOPPING and stop.execution.status is ExecutionStatus.STOPPED:
        stop.outcome = StopOutcome.STOPPED
    if json_output:
        _print_json({**_state(stop), "outcome": stop.outcome})
    else:
        counts = ", ".join(f"{count} {status}" for status, count in stop.counts.items() if count) or "no files"
        click.echo(f"{_STOPS[stop.outcome].format(status=stop.execution.status.value)}: {counts}")
    return int(stop.outcome is StopOutcome.STOPPING)


@command.command("retry")
@click.argument("execution_id", metavar="ID")
@click.option(
    "--failed", is_flag=True, default=True, help="The failed and stopped files: the default, and all there is."
)
@click.option("--json", "json_output", is_flag=True, help="Print a JSON object.")
@connected
def retry_command(execution_id: str, failed: bool, json_output: bool, client: ManagementClient) -> int:
    """Run the failed and stopped files of an ended execution again, as a new execution.

    Files that a later run has completed are left out. Steps that succeeded are not run again.
    """
    retry = client.retry_execution(execution_id)
    if json_output:
        _print_json(msgspec.to_builtins(retry))
        return 0
    skipped = "".join(f", without {count} {reason}" for reason, count in retry.skipped.items())
    click.echo(f"{retry.execution_id}: retries {retry.total_files} files of {retry.retry_of}{skipped}")
    if not retry.listing_complete:
        click.echo("its source was not listed to the end: run the workflow for files it had not seen", err=True)
    return 0


@command.command("logs")
@click.argument("execution_id", metavar="ID")
@click.option("--follow", "-f", is_flag=True, help="Go on until the execution has ended.")
@click.option(
    "--level",
    type=click.Choice([level.value for level in LogLevel], case_sensitive=False),
    default=LogLevel.INFO.value,
    show_default=True,
    help="At least this serious.",
)
@click.option("--json", "json_output", is_flag=True, help="Print one JSON object a line.")
@connected
def logs_command(execution_id: str, follow: bool, level: str, json_output: bool, client: ManagementClient) -> int:
    """The log of an execution; with --follow also new lines until it has ended."""
    from docfleet.cli.show.logs import show

    show(client, execution_id, follow=follow, level=LogLevel(level.upper()), as_json=json_output)
    return 0


@command.command("results")
@click.argument("execution_id", metavar="ID")
@connected
def results_command(execution_id: str, client: ManagementClient) -> int:
    """The results of an API's execution as JSON, in the order of the request. They expire after a day."""
    _print_json(client.results(execution_id).results)
    return 0


@command.command("evidence")
@click.argument("execution_id", metavar="ID")
@click.argument("file", metavar="FILE")
@click.option("--json", "json_output", is_flag=True, help="Print a JSON object.")
@connected
def evidence_command(execution_id: str, file: str, json_output: bool, client: ManagementClient) -> int:
    """Where each value of a file's result stands in the document, and how probable it is that it is right.

    FILE is the file's name, path, number or id.
    """
    from docfleet.cli.show.evidence import lines

    found = client.evidence(execution_id, _file(client, execution_id, file).file_execution_id)
    if json_output:
        _print_json(msgspec.to_builtins(found))
        return 0
    for line in lines(found):
        click.echo(line)
    return 0


def _file(client: ManagementClient, execution_id: str, wanted: str) -> FileOfExecution:
    """The file of this name, path, number or id. Raises ``NotFound``, and ``InvalidInput`` for a name of several."""
    files = client.files(execution_id)
    for key in ("file_execution_id", "path", "name", "file_number"):
        found = [file for file in files if str(getattr(file, key)) == wanted]
        if len(found) > 1:
            raise InvalidInput(f"{len(found)} files are named {wanted!r}: give the path or the number of one")
        if found:
            return found[0]
    raise NotFound(f"the execution has no file {wanted!r}: `docfleet executions show {execution_id}` lists them")


def _missing(missing: MissingWorkers) -> str:
    seen = "never seen" if missing.last_seen is None else f"last seen {missing.last_seen[:19].replace('T', ' ')}"
    return f"no worker of type {missing.type.value} is running ({seen}): start `docfleet worker {missing.type.value}`"


def _state(state: ExecutionState) -> dict[str, Any]:
    return {
        "execution": _info(state.execution),
        "counts": state.counts,
        "skipped": state.skipped,
        "skipped_examples": state.skipped_examples,
        "retries": state.retries,
        "stopping": state.stopping,
        "missing_workers": msgspec.to_builtins(state.missing_workers),
        "waiting": msgspec.to_builtins(state.waiting),
    }


def _info(execution: ExecutionSummary) -> dict[str, Any]:
    """The fields without those that have their default: the output of these commands, which scripts rely on."""
    return ExecutionInfo(**{name: getattr(execution, name) for name in ExecutionInfo.__struct_fields__}).to_dict()


def _print_json(value: Any) -> None:
    click.echo(terminal.as_json(value))
