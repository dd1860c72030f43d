"""``docfleet dev``: the whole system on this machine, until Ctrl-C."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
from rich.rule import Rule
from rich.text import Text

from docfleet.cli.commands.apply import curl
from docfleet.cli.embedded.data_folder import DEFAULT
from docfleet.cli.embedded.supervisor import Interrupted
from docfleet.cli.embedded.system import EmbeddedSystem
from docfleet.cli.interrupts import Interrupts
from docfleet.cli.management import ORGANIZATION_ID, ManagementClient
from docfleet.cli.show import terminal
from docfleet.core.exit_codes import ExitCode
from docfleet.core.names import WorkerType

_CHECK_SECONDS = 0.25


@click.command("dev")
@click.option("--data", type=click.Path(path_type=Path), default=DEFAULT, show_default=True, help="The data folder.")
@click.option("--json", "json_output", is_flag=True, help="Print one line of JSON on standard output when ready.")
def command(data: Path, json_output: bool) -> int:
    """Start everything on this machine and stay: backend, runner, workers and, where none is set, a Redis.

    Ctrl-C stops it all. Its data stays in the data folder for the next start.
    """
    console = terminal.console(stderr=json_output)
    with Interrupts() as interrupts:
        try:
            with EmbeddedSystem(
                data,
                tuple(WorkerType),
                command="docfleet dev",
                report=lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True),
            ) as system:
                interrupts.on_second = system.kill
                with console.status("starting the system"):
                    system.start(interrupts.requested)
                    client = ManagementClient(system.addresses)
                    client.put_organization()
                    system.data.announce(
                        {
                            "url": system.addresses.backend_url,
                            "organization": ORGANIZATION_ID,
                            "key": system.addresses.key,
                        }
                    )
                if json_output:
                    click.echo(json.dumps(_description(system)))
                else:
                    # Between two rules and not in a panel: a panel crops lines, and pads text that is copied from it.
                    console.print(Rule("Docfleet is ready", style="none"))
                    console.print(_page(system, client), soft_wrap=True)
                    console.print(Rule("Ctrl-C stops everything", style="none"))
                while not interrupts.requested():
                    system.check()
                    time.sleep(_CHECK_SECONDS)
                console.print("stopping; once more to end at once", highlight=False)
        except Interrupted:
            return ExitCode.INTERRUPTED
    return 0


def _description(system: EmbeddedSystem) -> dict[str, object]:
    return {
        "url": system.addresses.backend_url,
        "internal_url": system.addresses.internal_url,
        "runner_url": system.addresses.runner_url,
        "organization": ORGANIZATION_ID,
        "key": system.addresses.key,
        "metrics_key": system.addresses.metrics_key,
        "data": str(system.data.path),
        "logs": str(system.data.logs),
        "processes": system.pids(),
    }


def _page(system: EmbeddedSystem, client: ManagementClient) -> Text:
    addresses = system.addresses
    lines = [
        ("backend", f"{addresses.backend_url}/api/v1"),
        ("API pages", f"{addresses.backend_url}/schema"),
        ("workers' port", addresses.internal_url),
        ("runner", addresses.runner_url),
        ("organization", ORGANIZATION_ID),
        ("key", addresses.key),
        ("metrics key", addresses.metrics_key),
        ("data", str(system.data.path)),
        ("logs", str(system.data.logs)),
        ("processes", ", ".join(system.pids())),
    ]
    text = Text()
    for name, value in lines:
        text.append(f"{name:<14}", style="dim").append(f"{value}\n")
    text.append(
        f"\ncurl -H 'X-Organization-ID: {ORGANIZATION_ID}' \\\n"
        f"  -H 'Authorization: Bearer {addresses.key}' \\\n"
        f"  {addresses.backend_url}/api/v1/workflows"
    )
    apis = [deployment for deployment in client.deployments() if deployment.is_active]
    if apis:
        text.append(f"\n\n{curl(client.absolute(apis[0].url), 'KEY')}")
        text.append(f"\nKEY is shown once, when it is made: docfleet keys create --api {apis[0].api_name}", "dim")
    else:
        text.append("\n\ndocfleet apply examples/invoice-api.yaml   publishes a workflow as an API", "dim")
    return text
