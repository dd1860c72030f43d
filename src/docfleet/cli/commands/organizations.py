"""``docfleet organizations``: the organizations of a backend."""

from __future__ import annotations

import json

import click
import msgspec

from docfleet.cli.connection import connected
from docfleet.cli.management import ManagementClient


@click.group("organizations")
def command() -> None:
    """Organizations. A new database has none, and every call needs one. Organizations are never deleted."""


@command.command("create")
@click.argument("organization_id", metavar="ID")
@click.option("--name", help="What people know it by, else its id; renames one that is there.")
@connected
def create_command(organization_id: str, name: str | None, client: ManagementClient) -> int:
    """Make an organization. Commands use `default` unless another one is given."""
    known = any(organization.organization_id == organization_id for organization in client.organizations())
    if known and name is None:
        click.echo(f"{organization_id} is there already")
        return 0
    created = client.create_organization(organization_id, name or organization_id)
    click.echo(f"{'created' if created else 'renamed'} {organization_id}")
    return 0


@command.command("list")
@click.option("--json", "json_output", is_flag=True, help="Print a JSON array.")
@connected
def list_command(json_output: bool, client: ManagementClient) -> int:
    """All organizations, by id."""
    from docfleet.cli.show.summary import plain

    organizations = client.organizations()
    if json_output:
        click.echo(json.dumps(msgspec.to_builtins(organizations), indent=2, ensure_ascii=False))
        return 0
    for organization in organizations:
        click.echo(f"{organization.organization_id:<20}  {plain(organization.name)}")
    if not organizations:
        click.echo("no organizations: make one with `docfleet organizations create default`")
    return 0
