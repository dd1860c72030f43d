"""``docfleet keys``: keys of APIs, pipelines and the organization."""

from __future__ import annotations

import datetime
import json

import click

from docfleet.cli.connection import connected
from docfleet.cli.management import ManagementClient


@click.group("keys")
def command() -> None:
    """Keys that callers use. A key is stored hashed: it is shown when it is made, and never again."""


@command.command("create")
@click.option("--api", help="For this API only.")
@click.option("--pipeline", help="For this pipeline only.")
@click.option("--name", default="key", show_default=True, help="What people know it by.")
@click.option("--days", type=click.IntRange(1, 3650), help="It expires after so many days.")
@click.option("--json", "json_output", is_flag=True, help="Print a JSON object.")
@connected
def create_command(
    api: str | None, pipeline: str | None, name: str, days: int | None, json_output: bool, client: ManagementClient
) -> int:
    """Make a key: for one API, one pipeline, or, with neither, for the whole organization (a platform key)."""
    if api and pipeline:
        raise click.UsageError("a key is for an API or for a pipeline, not for both")
    scope = "deployment" if api else "pipeline" if pipeline else "platform"
    expires = None
    if days:
        expires = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)).isoformat()
    made = client.create_key(scope, api or pipeline, name, expires)
    if json_output:
        click.echo(json.dumps(made))
    else:
        click.echo(str(made["key"]))
        click.echo("keep it: it is not shown again", err=True)
    return 0


@command.command("list")
@click.option("--json", "json_output", is_flag=True, help="Print a JSON array.")
@connected
def list_command(json_output: bool, client: ManagementClient) -> int:
    """All keys, by their first characters. Times are UTC."""
    from docfleet.cli.show.summary import plain

    found = client.listing("keys")
    if json_output:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    for row in found:
        used = f"used {_day(row['last_used_at'])}" if row.get("last_used_at") else "never used"
        expired = bool(row.get("expires_at")) and _time(row["expires_at"]) <= datetime.datetime.now(datetime.UTC)
        ends = f", {'expired' if expired else 'expires'} {_day(row['expires_at'])}" if row.get("expires_at") else ""
        state = "  revoked" if not row.get("is_active", True) else "  expired" if expired else ""
        target = row.get("target") or ""
        click.echo(
            f"{row['key_id']}  {row['key_prefix']:<8}  {row['scope']:<10}  {plain(target):<20}  {plain(row['name'])}"
            f"  ({used}{ends}){state}"
        )
    if not found:
        click.echo("no keys")
    return 0


@command.command("revoke")
@click.argument("key_id", metavar="ID")
@connected
def revoke_command(key_id: str, client: ManagementClient) -> int:
    """End a key at once and for good."""
    click.echo(f"revoked {key_id}" if client.revoke_key(key_id) else f"{key_id} was revoked before")
    return 0


def _time(value: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(value)


def _day(value: str) -> str:
    return value[:16].replace("T", " ")
