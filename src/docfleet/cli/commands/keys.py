"""``docfleet keys``: keys of APIs, pipelines and the organization."""

from __future__ import annotations

import datetime
import json

import click
import msgspec

from docfleet.cli.connection import connected
from docfleet.cli.management import ManagementClient
from docfleet.cli.show import terminal
from docfleet.core.management.keys import Key, Role, Scope


@click.group("keys")
def command() -> None:
    """Keys of callers, and of the organization. Only a hash of a key is stored: it is shown when it is made, and never
    again."""


@command.command("create")
@click.option("--api", help="For this API only.")
@click.option("--pipeline", help="For this pipeline only.")
@click.option(
    "--role", type=click.Choice([str(role) for role in Role]), help="For the organization, with the rights of a role."
)
@click.option("--name", default="key", show_default=True, help="What people know it by.")
@click.option("--days", type=click.IntRange(1, 3650), help="It expires after so many days.")
@click.option("--json", "json_output", is_flag=True, help="Print a JSON object.")
@connected
def create_command(
    api: str | None,
    pipeline: str | None,
    role: str | None,
    name: str,
    days: int | None,
    json_output: bool,
    client: ManagementClient,
) -> int:
    """Make a key: for one API, for one pipeline or, with a role, for the organization.

    A viewer reads. An operator also runs, stops, retries, pauses and resumes. An admin may do everything in the
    organization. With none of the three options, the key opens the list of APIs only.
    """
    if sum(map(bool, (api, pipeline, role))) > 1:
        raise click.UsageError("a key is for an API, for a pipeline or for the organization (--role), not for several")
    scope = Scope.DEPLOYMENT if api else Scope.PIPELINE if pipeline else Scope.PLATFORM
    expires_at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days) if days else None
    created = client.create_key(scope, api or pipeline, name, expires_at, Role(role) if role else None)
    if json_output:
        click.echo(json.dumps(msgspec.to_builtins(created)))
    else:
        click.echo(created.key)
        click.echo("keep it: it is not shown again", err=True)
    return 0


@command.command("list")
@click.option("--json", "json_output", is_flag=True, help="Print a JSON array.")
@connected
def list_command(json_output: bool, client: ManagementClient) -> int:
    """All keys, by their first and last characters. Times are UTC."""
    from docfleet.cli.show.summary import plain

    keys = client.keys()
    if json_output:
        click.echo(terminal.as_json(msgspec.to_builtins(keys)))
        return 0
    for key in keys:
        used = f"used {_minute(key.last_used_at)}" if key.last_used_at else "never used"
        expired = key.expires_at is not None and _time(key.expires_at) <= datetime.datetime.now(datetime.UTC)
        ends = f", {'expired' if expired else 'expires'} {_minute(key.expires_at)}" if key.expires_at else ""
        state = "  revoked" if not key.is_active else "  expired" if expired else ""
        click.echo(
            f"{key.key_id}  {_characters(key):<15}  {key.scope:<10}  {key.role or '-':<8}  "
            f"{plain(key.target or ''):<20}  {plain(key.name)}  ({used}{ends}){state}"
        )
    if not keys:
        click.echo("no keys")
    return 0


@command.command("revoke")
@click.argument("key_id", metavar="ID")
@connected
def revoke_command(key_id: str, client: ManagementClient) -> int:
    """Revoke a key, at once and for good."""
    click.echo(f"revoked {key_id}" if client.revoke_key(key_id) else f"{key_id} was revoked before")
    return 0


def _characters(key: Key) -> str:
    return f"{key.key_prefix}...{key.key_suffix}" if key.key_suffix else f"{key.key_prefix}..."


def _time(value: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(value)


def _minute(value: str) -> str:
    return value[:16].replace("T", " ")
