"""``docfleet verify``: does the destination hold each file of an execution once, and unchanged?"""

from __future__ import annotations

import json

import click

from docfleet.cli.connection import connected
from docfleet.cli.management import ManagementClient

_LINES = (
    ("expected", "files that were delivered"),
    ("delivered_once", "there once and unchanged"),
    ("doubled", "there more than once"),
    ("missing", "not there"),
    ("changed", "there with another content"),
    ("unexpected", "there for a file that was not delivered"),
    ("error_rows", "error rows of failed files"),
    ("not_compared", "there, but delivered before digests were kept"),
)


@click.command("verify")
@click.argument("execution_id", metavar="EXECUTION")
@click.option("--json", "json_output", is_flag=True, help="Print a JSON object.")
@connected
def command(execution_id: str, json_output: bool, client: ManagementClient) -> int:
    """Read the destination of an EXECUTION that has ended again and compare it with what was delivered.

    Exit code: 0 every file is there once and unchanged, and nothing else is; 1 it is not so, or it cannot be read;
    2 wrong usage. The destination is that of the workflow as it is now.
    """
    from docfleet.cli.show.summary import plain

    found = client.verify(execution_id)
    if json_output:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return int(not found["clean"])
    click.echo(f"execution {found['execution_id']}  {found['status']}  destination {found['destination'].lower()}")
    for name, meaning in _LINES:
        if found[name] or name in ("expected", "delivered_once", "doubled", "missing", "changed"):
            click.echo(f"  {name.replace('_', ' '):<15}{found[name]:>8}  {meaning}")
    for finding in found["findings"]:
        place = finding["file"] or finding["file_execution_id"]
        click.echo(f"{finding['kind']:<10}  {plain(place)}: {plain(finding['detail'])}")
    if found["more_findings"]:
        click.echo(f"and {found['more_findings']} more")
    click.echo("clean" if found["clean"] else "not clean")
    return int(not found["clean"])
