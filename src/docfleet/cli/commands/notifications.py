"""``docfleet notifications``: who is notified of what, and which events were not delivered."""

from __future__ import annotations

import time

import click
import msgspec

from docfleet.cli.connection import connected
from docfleet.cli.management import ManagementClient
from docfleet.cli.show import terminal
from docfleet.core.errors import InvalidInput, NotFound
from docfleet.core.management.notifications import Notification, OutboxEvent
from docfleet.core.notify import NotificationState

SHOWN = 50
_POLL_SECONDS = 0.2


@click.group("notifications")
def command() -> None:
    """Notifications of a running Docfleet. `docfleet apply` makes them, with their pipeline or API."""


@command.command("list")
@click.option("--dead", "status", flag_value="dead", help="Events that could not be delivered.")
@click.option("--waiting", "status", flag_value="waiting", help="Events that are still to be delivered.")
@click.option("--delivered", "status", flag_value="delivered", help="Events that were delivered.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=SHOWN, show_default=True, help="At most so many events."
)
@click.option("--json", "json_output", is_flag=True, help="Print a JSON array.")
@connected
def list_command(status: str | None, limit: int, json_output: bool, client: ManagementClient) -> int:
    """All notifications; with --dead, --waiting or --delivered the newest events of that kind."""
    events = client.notification_events(status, limit) if status else []
    notifications = [] if status else client.notifications()
    if json_output:
        click.echo(terminal.as_json(msgspec.to_builtins(events if status else notifications)))
        return 0
    for line in [*map(_event, events), *map(_notification, notifications)]:
        click.echo(line)
    if not events and not notifications:
        none = f"no {status} events" if status else "no notifications: `docfleet apply` makes them of a workflow file"
        click.echo(none)
    return 0


@command.command("resend")
@click.argument("event_id", metavar="[ID]", required=False)
@click.option("--all-dead", is_flag=True, help="All dead events.")
@connected
def resend_command(event_id: str | None, all_dead: bool, client: ManagementClient) -> int:
    """Send a dead event again, with those of its message; ID is from `docfleet notifications list --dead`.

    It keeps its id, so that a target that has received it already can ignore the repeat.
    """
    if (event_id is None) is not all_dead:
        raise click.UsageError("give the ID of an event, or --all-dead")
    sent = 0
    if event_id is not None:
        sent = client.resend_event(event_id)
    else:
        messages = {event.message_id: event.event_id for event in client.notification_events(NotificationState.DEAD)}
        for one in messages.values():
            sent += client.resend_event(one)
    click.echo(f"{sent} event{'' if sent == 1 else 's'} will be sent again")
    return 0


@command.command("test")
@click.argument("name")
@click.option("--seconds", type=click.FloatRange(1, 600), default=30.0, show_default=True, help="How long to wait.")
@connected
def test_command(name: str, seconds: float, client: ManagementClient) -> int:
    """Send a test to the target of the notification NAME (or PIPELINE/NAME). Exit code 1: it was not delivered."""
    event_id = client.test_notification(_named(client, name).notification_id)
    end = time.monotonic() + seconds
    while True:
        event = client.notification_event(event_id)
        if event.status is NotificationState.DELIVERED:
            click.echo(f"{name}: delivered")
            return 0
        will_retry = event.status is NotificationState.WAITING and bool(event.last_error)
        if event.status is NotificationState.DEAD or will_retry:
            click.echo(f"{name}: not delivered: {event.last_error}", err=True)
            return 1
        if time.monotonic() > end:
            click.echo(f"{name}: not delivered within {seconds:g} s: does a notification worker run?", err=True)
            return 1
        time.sleep(_POLL_SECONDS)


@command.command("delete")
@click.argument("name")
@connected
def delete_command(name: str, client: ManagementClient) -> int:
    """Delete the notification NAME (or PIPELINE/NAME), with its events."""
    client.delete_notification(_named(client, name).notification_id)
    click.echo(f"{name} is deleted")
    return 0


def _named(client: ManagementClient, name: str) -> Notification:
    rows = [row for row in client.notifications() if name in (row.name, _full(row))]
    if not rows:
        raise NotFound(f"there is no notification {name!r:.120}: see `docfleet notifications list`")
    if len(rows) > 1:
        raise InvalidInput(f"several have that name: give one of {', '.join(sorted(_full(row) for row in rows))}")
    return rows[0]


def _full(row: Notification) -> str:
    return f"{row.pipeline or row.api}/{row.name}"


def _notification(row: Notification) -> str:
    from docfleet.cli.show.summary import plain

    when = "failures only" if row.notify_on_failures else ", ".join(row.events)
    club = f", clubbed for {row.club_seconds:g} s" if row.club_seconds else ""
    state = "" if row.is_active else "  inactive"
    return f"{plain(_full(row)):<32}  {row.provider:<8}  {row.target or '-':<32}  {when}{club}{state}"


def _event(row: OutboxEvent) -> str:
    from docfleet.cli.show.summary import plain

    tried = f"{row.attempts} of {row.max_attempts} attempts"
    what = f"{plain(row.pipeline)}/{plain(row.notification)}"
    error = f"  {plain(row.last_error)}" if row.last_error else ""
    return f"{row.event_id}  {row.created_at[:19]}  {what:<28}  {row.event:<13}  {tried}{error}"
