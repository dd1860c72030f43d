"""``docfleet run WORKFLOW.yaml``: one execution on this machine, from nothing to the summary."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import click

from docfleet.cli.embedded.data_folder import DEFAULT
from docfleet.cli.embedded.supervisor import Interrupted
from docfleet.cli.embedded.system import EmbeddedSystem
from docfleet.cli.interrupts import Interrupts
from docfleet.cli.management import ManagementClient
from docfleet.cli.show import terminal
from docfleet.cli.show.destination import describe_destination, example_rows
from docfleet.cli.show.progress import ExecutionView
from docfleet.cli.show.summary import SHOWN_FAILURES, SHOWN_ROWS, RunResult, as_json, show
from docfleet.cli.workflow_file import WorkflowFile, WorkflowFileInvalid, read_workflow
from docfleet.core.errors import (
    BackendUnavailable,
    ConfigurationError,
    DocfleetError,
    InvalidInput,
    ReviewUnavailable,
    ToolError,
)
from docfleet.core.exit_codes import ExitCode
from docfleet.core.management.executions import ExecutionState, FileOfExecution
from docfleet.core.names import WorkerType
from docfleet.core.status import ExecutionStatus

RUN_WORKERS = (WorkerType.GENERAL, WorkerType.FILE_PROCESSING, WorkerType.CALLBACK)
_POLL_SECONDS = 0.25
_SILENT_BACKEND_SECONDS = 60.0
_STOP_SECONDS = 15.0
_GRACE_SECONDS = 4.0  # the execution has ended by then: the backend refuses further writes of workers


@dataclass(frozen=True)
class RunOptions:
    """The command line."""

    workflow: Path
    source: Path | None
    output: Path | None
    data: Path
    as_json: bool
    use_file_history: bool | None
    timeout: float | None


@click.command("run")
@click.argument("workflow", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--source", type=click.Path(path_type=Path), help="Read this folder instead of the source's path.")
@click.option("--output", type=click.Path(path_type=Path), help="Write here instead of the destination's path.")
@click.option("--data", type=click.Path(path_type=Path), default=DEFAULT, show_default=True, help="The data folder.")
@click.option("--json", "json_output", is_flag=True, help="Print one JSON object on standard output, nothing else.")
@click.option("--no-history", is_flag=True, help="Process every file, those of earlier runs as well.")
@click.option("--timeout", type=click.FloatRange(min=1), help="Stop the execution after this many seconds.")
def command(
    workflow: Path,
    source: Path | None,
    output: Path | None,
    data: Path,
    json_output: bool,
    no_history: bool,
    timeout: float | None,
) -> int:
    """Run the workflow of a YAML file once, on this machine.

    Exit code: 0 every file succeeded, 3 some failed or cannot be read, 1 failure, 2 wrong settings, 130 interrupted.
    """
    return run(RunOptions(workflow, source, output, data, json_output, False if no_history else None, timeout))


def run(options: RunOptions) -> int:
    """Run the workflow, print the result, return the exit code."""
    console = terminal.console(stderr=options.as_json)
    with Interrupts() as interrupts:
        try:
            workflow = read_workflow(options.workflow, source=options.source, output=options.output)
            if workflow.api:
                raise WorkflowFileInvalid(
                    f"{options.workflow}: this workflow is an API, its files come with a call: "
                    "start `docfleet dev` and publish it with `docfleet apply`"
                )
            with ExecutionView(console) as view:
                result = execute(options, workflow, view, interrupts)
        except Interrupted:
            return _fail(options, "interrupted before the execution started", ExitCode.INTERRUPTED)
        except ConfigurationError as error:
            return _fail(options, error.message, ExitCode.WRONG_CONFIGURATION)
        except DocfleetError as error:
            return _fail(options, error.message, ExitCode.FAILURE)
        if options.as_json:
            click.echo(as_json(result))
        else:
            show(console, result)
            console.print(f"logs: {options.data / 'logs'}", style="dim", highlight=False, soft_wrap=True)
        return ExitCode.INTERRUPTED if interrupts.requested() else result.exit_code


def execute(options: RunOptions, workflow: WorkflowFile, view: ExecutionView, interrupts: Interrupts) -> RunResult:
    """One execution, from starting the system to stopping it. Raises ``Interrupted``, and ``DocfleetError``s."""
    view.phase("starting the system")
    with EmbeddedSystem(
        options.data,
        RUN_WORKERS,
        command=f"docfleet run {options.workflow}",
        report=view.print_line,
        grace=_GRACE_SECONDS,
    ) as system:
        interrupts.on_second = system.kill
        system.start(interrupts.requested)
        client = ManagementClient(system.addresses)
        history = workflow.use_file_history if options.use_file_history is None else options.use_file_history
        try:
            client.put_organization()
            workflow_id = client.put_workflow(workflow.document)
            _stop_leftovers(client, workflow_id, view)
            view.phase("listing the source")
            started = time.monotonic()
            execution_id = client.create_execution(workflow_id, use_file_history=history)
        except (InvalidInput, ConfigurationError, ToolError, ReviewUnavailable) as error:
            raise WorkflowFileInvalid(workflow.explain(error.message)) from error
        deadline = None if options.timeout is None else started + options.timeout
        state, note = _follow(system, client, execution_id, view, interrupts, deadline)
        duration = state.execution.execution_time or time.monotonic() - started
        files = _files(client, execution_id, state, everything=options.as_json)
        view.phase("stopping the system")
    rows = [] if options.as_json else example_rows(workflow, execution_id, SHOWN_ROWS)
    return RunResult(workflow.name, state, files, duration, describe_destination(workflow), rows, note)


def _stop_leftovers(client: ManagementClient, workflow_id: str, view: ExecutionView) -> None:
    """Stop the executions that a killed system left open. The lock of the folder shows that no process works on them,
    and their files would be skipped as active elsewhere. Finished files are in the file history."""
    left = client.open_executions(workflow_id)
    for execution_id in left:
        client.stop_execution(execution_id, abandoned=True)
    if left:
        view.print_line(
            f"stopped {len(left)} execution{'s' * (len(left) > 1)} of this workflow that an earlier run left open"
        )


def _follow(
    system: EmbeddedSystem,
    client: ManagementClient,
    execution_id: str,
    view: ExecutionView,
    interrupts: Interrupts,
    deadline: float | None,
) -> tuple[ExecutionState, str]:
    """Watch until the status is final. Waits for a backend that is being restarted."""
    note = ""
    answered = time.monotonic()
    stop_by: float | None = None
    while True:
        system.check()
        now = time.monotonic()
        try:
            if stop_by is None and (interrupts.requested() or (deadline is not None and now > deadline)):
                note = "interrupted" if interrupts.requested() else "stopped: --timeout is over"
                view.print_line("stopping the execution; once more to end at once" if interrupts.requested() else note)
                client.stop_execution(execution_id, wait=0)
                stop_by = now + _STOP_SECONDS
            state = client.execution(execution_id)
            answered = now
        except BackendUnavailable:
            if now - answered > _SILENT_BACKEND_SECONDS:
                raise
        else:
            view.update(state)
            if state.execution.status.is_final or (stop_by is not None and now > stop_by):
                return state, note
        time.sleep(_POLL_SECONDS)


def _files(
    client: ManagementClient, execution_id: str, state: ExecutionState, *, everything: bool
) -> list[FileOfExecution]:
    """All files, or those the summary page shows."""
    if everything:
        return client.files(execution_id)
    failed = state.counts.get(ExecutionStatus.ERROR, 0)
    shown = client.files(execution_id, status=ExecutionStatus.COMPLETED, limit=SHOWN_ROWS)
    return shown + (client.files(execution_id, status=ExecutionStatus.ERROR, limit=SHOWN_FAILURES) if failed else [])


def _fail(options: RunOptions, message: str, code: int) -> int:
    click.echo(f"docfleet: {message}", err=True)
    if options.as_json:
        click.echo(terminal.as_json({"error": message}, None))
    return code
