"""``docfleet pipelines``: pipelines, their schedules and the outcomes of their ticks."""

from __future__ import annotations

import shlex
from typing import Any

import click
import msgspec

from docfleet.cli.connection import connected
from docfleet.cli.management import ManagementClient
from docfleet.cli.show import terminal
from docfleet.core.status import PipelineStatus

_json = click.option("--json", "json_output", is_flag=True, help="Print JSON.")


@click.group("pipelines")
def command() -> None:
    """Pipelines of a running Docfleet. `docfleet apply` makes them, with their schedules."""


@command.command("list")
@_json
@connected
def list_command(json_output: bool, client: ManagementClient) -> int:
    """All pipelines: schedule, last run and next run (UTC)."""
    from docfleet.cli.show.summary import plain

    pipelines = client.pipelines()
    if json_output:
        _print_json(pipelines)
        return 0
    for row in pipelines:
        when = f"{row.schedule.cron} {row.schedule.time_zone}" if row.schedule else "on request"
        following = f"next {_moment(row.next_run_time)}" if row.next_run_time else ""
        state = following if row.active else "paused"
        last = f"last {_moment(row.last_run_time)} {row.last_run_status}" if row.last_run_time else "never ran"
        if row.last_run_status == PipelineStatus.INPROGRESS:
            last = "runs now"
        click.echo(f"{plain(row.name):<24}  {plain(when):<32}  {last}, {row.run_count} runs  {state}".rstrip())
    if not pipelines:
        click.echo("no pipelines: `docfleet apply` makes one of a workflow file with a section pipeline")
    return 0


@command.command("preview")
@click.argument("name")
@click.option("-n", "count", type=click.IntRange(1, 100), default=10, show_default=True, help="So many runs.")
@_json
@connected
def preview_command(name: str, count: int, json_output: bool, client: ManagementClient) -> int:
    """The next runs of a pipeline, in the time zone of its schedule and in UTC."""
    pipeline = client.pipeline(name)
    runs = client.preview_pipeline(pipeline.pipeline_id, count)
    if json_output:
        _print_json(runs)
        return 0
    for run in runs:
        click.echo(f"{run.time}   {_moment(run.utc)} UTC")
    if not pipeline.active:
        click.echo(f"it is paused: none of these runs until `docfleet pipelines resume {shlex.quote(name)}`", err=True)
    return 0


@command.command("ticks")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most so many.")
@_json
@connected
def ticks_command(name: str, limit: int, json_output: bool, client: ManagementClient) -> int:
    """The outcomes of the newest ticks of a pipeline's schedule (UTC).

    fired: it ran. queued: it runs when the run before it has ended. skipped: a run was open. missed: no scheduler
    was running at the time. refused: with the reason.
    """
    from docfleet.cli.show.summary import plain

    ticks = client.ticks(client.pipeline(name).pipeline_id, limit)
    if json_output:
        _print_json(ticks)
        return 0
    for tick in ticks:
        what = tick.execution_id or plain(tick.detail or "")
        click.echo(f"{_moment(tick.scheduled_for)}  {tick.outcome:<8}  {what}".rstrip())
    if not ticks:
        click.echo("no time of its schedule has come")
    return 0


@command.command("pause")
@click.argument("name")
@connected
def pause_command(name: str, client: ManagementClient) -> int:
    """No run starts, by schedule, key or hand, until `resume`. Open runs continue."""
    client.set_active(client.pipeline(name).pipeline_id, active=False)
    click.echo(f"{name} is paused")
    return 0


@command.command("resume")
@click.argument("name")
@connected
def resume_command(name: str, client: ManagementClient) -> int:
    """Runs start again, from the next time of the schedule on."""
    pipeline = client.set_active(client.pipeline(name).pipeline_id, active=True)
    following = pipeline.next_run_time
    click.echo(f"{name} is active" + (f", next run {_moment(following)} UTC" if following else ""))
    return 0


@command.command("delete")
@click.argument("name")
@connected
def delete_command(name: str, client: ManagementClient) -> int:
    """Delete a pipeline, with its schedule, keys and notifications. Its executions stay, and open runs continue."""
    client.delete_pipeline(client.pipeline(name).pipeline_id)
    click.echo(f"{name} is deleted")
    return 0


@command.command("run")
@click.argument("name")
@connected
def run_command(name: str, client: ManagementClient) -> int:
    """Run a pipeline now, whatever its schedule says. Prints the execution's id."""
    click.echo(client.run_pipeline(client.pipeline(name).pipeline_id))
    return 0


def _moment(text: str) -> str:
    return text[:19].replace("T", " ")


def _print_json(value: Any) -> None:
    click.echo(terminal.as_json(msgspec.to_builtins(value)))
