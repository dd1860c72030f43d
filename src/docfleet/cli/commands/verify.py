"""``docfleet verify``: does the destination hold each file of an execution once, and unchanged?"""

from __future__ import annotations

import click
import msgspec

from docfleet.cli.connection import connected
from docfleet.cli.management import ManagementClient
from docfleet.cli.show import terminal

_LINES = (
    ("expected", "files that were delivered"),
    ("delivered_once", "there once and unchanged"),
    ("doubled", "there more than once"),
    ("missing", "not there"),
    ("changed", "there with another content"),
    ("unreadable", "not compared: the backend may not read it"),
    ("replaced", "replaced by the same document of a later execution"),
    ("unexpected", "there for a file that was not delivered"),
    ("error_rows", "error rows of failed files"),
    ("not_compared", "there, but delivered before digests were kept"),
)
_ALWAYS_SHOWN = ("expected", "delivered_once", "doubled", "missing", "changed")
"""Counts that are shown when they are 0, too."""


@click.command("verify")
@click.argument("execution_id", metavar="EXECUTION")
@click.option("--json", "json_output", is_flag=True, help="Print a JSON object.")
@connected
def command(execution_id: str, json_output: bool, client: ManagementClient) -> int:
    """Read the destination of an ended EXECUTION again and compare it with what was delivered.

    Exit code: 0 every file is there once and unchanged, and nothing else is; 1 there is a difference, or it cannot be
    read; 2 wrong usage. The destination is the current one of the workflow.
    """
    from docfleet.cli.show.summary import plain

    result = client.verify(execution_id)
    if json_output:
        click.echo(terminal.as_json(msgspec.to_builtins(result)))
        return int(not result.clean)
    click.echo(f"execution {result.execution_id}  {result.status}  destination {result.destination.lower()}")
    for name, meaning in _LINES:
        count = getattr(result, name)
        if count or name in _ALWAYS_SHOWN:
            click.echo(f"  {name.replace('_', ' '):<15}{count:>8}  {meaning}")
    for finding in result.findings:
        place = finding.file or finding.file_execution_id
        click.echo(f"{finding.kind:<10}  {plain(place)}: {plain(finding.detail)}")
    if result.more_findings:
        click.echo(f"and {result.more_findings} more")
    click.echo("clean" if result.clean else "not clean")
    return int(not result.clean)
