"""``docfleet organizations``: the organizations of a backend."""

from __future__ import annotations

import click
import msgspec

from docfleet.cli.connection import connected
from docfleet.cli.management import ManagementClient
from docfleet.cli.show import terminal
from docfleet.core.management.organizations import SettingInForce
from docfleet.core.management.quotas import Quota, QuotaUse

_DEFAULT = "default"
_QUOTAS = {
    Quota.FILES_PER_DAY: "files today",
    Quota.PAGES_PER_DAY: "pages today",
    Quota.CONCURRENT_EXECUTIONS: "open executions",
}


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
        click.echo(terminal.as_json(msgspec.to_builtins(organizations)))
        return 0
    for organization in organizations:
        click.echo(f"{organization.organization_id:<20}  {plain(organization.name)}")
    if not organizations:
        click.echo("no organizations: make one with `docfleet organizations create default`")
    return 0


@command.command("set")
@click.argument("organization_id", metavar="ID")
@click.argument("assignments", metavar="NAME=VALUE...", nargs=-1, required=True)
@connected
def set_command(organization_id: str, assignments: tuple[str, ...], client: ManagementClient) -> int:
    """Set an organization's settings, its quotas among them: all of them, or none.

    `docfleet organizations show` names them. NAME=default returns to the backend's. A quota of 0 sets no limit.
    """
    wanted = dict(_assignment(text) for text in assignments)
    for setting in client.set_organization_settings(organization_id, wanted):
        if setting.key in wanted:
            click.echo(_line(setting))
    return 0


@command.command("show")
@click.argument("organization_id", metavar="[ID]", required=False)
@click.option("--json", "json_output", is_flag=True, help="Print a JSON object.")
@connected
def show_command(organization_id: str | None, json_output: bool, client: ManagementClient) -> int:
    """What an organization has used of its quotas, and its settings. Days are those of UTC."""
    if organization_id is not None:
        client = client.of(organization_id)
    quotas, settings = client.quotas(), client.settings()
    if json_output:
        shown = {"quotas": quotas, "settings": settings}
        click.echo(terminal.as_json(msgspec.to_builtins(shown)))
        return 0
    for quota in quotas:
        click.echo(f"{_QUOTAS[quota.quota]:<16}  {_use(quota)}")
    click.echo()
    for setting in settings:
        click.echo(_line(setting))
    return 0


def _assignment(text: str) -> tuple[str, int | None]:
    name, equals, value = text.partition("=")
    if not equals or not value.strip():
        raise click.BadParameter(f"{text!r} is not NAME=VALUE: write MAX_FILES_PER_DAY=1000, or =default")
    if value.strip() == _DEFAULT:
        return name.strip(), None
    try:
        return name.strip(), int(value)
    except ValueError:
        raise click.BadParameter(f"{text!r}: the value has to be a whole number, or `default`") from None


def _use(quota: QuotaUse) -> str:
    if quota.limit is None:
        return f"{quota.used}, no limit"
    until = "" if quota.resets_at is None else f" until {quota.resets_at[:16]}Z"
    return f"{quota.used} of {quota.limit}, {quota.left} left{until}"


def _line(setting: SettingInForce) -> str:
    value = "-" if setting.effective is None else setting.effective
    return f"{setting.key:<28}  {value:<12}  {'default' if setting.value is None else 'set'}"
