"""``docfleet connectors``: what sources and destinations there are, what they take, and whether one works."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click
import msgspec

from docfleet.cli.show import terminal
from docfleet.core.errors import ConfigurationError
from docfleet.core.exit_codes import ExitCode
from docfleet.core.management.connectors import (
    ConnectorDescription,
    ConnectorTestResult,
    Direction,
    ProbeStep,
)
from docfleet.core.names import API_CONNECTOR

NOT_RUN = "not run against a server"


@click.group("connectors")
def command() -> None:
    """List the connectors, show what one takes, test a source or a destination.

    None of these needs a running fleet.
    """


@command.command("list")
@click.option("--json", "json_output", is_flag=True, help="Print a JSON array, schemas included.")
def list_command(json_output: bool) -> int:
    """All connectors: what they do, whether their library is installed, what they were tested against."""
    from docfleet.connectors.catalogue import descriptions

    found = descriptions()
    if json_output:
        click.echo(terminal.as_json(msgspec.to_builtins(found)))
        return 0
    rows = [("NAME", "USE", "MODE", "LIBRARY", "TESTED AGAINST"), *map(_line, found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


@command.command("schema")
@click.argument("name")
def schema_command(name: str) -> int:
    """Print the JSON Schema of the settings of connector NAME. Secrets have "writeOnly": true."""
    from docfleet.connectors.catalogue import describe

    described = describe(name)
    if described.problem:
        raise ConfigurationError(described.problem)
    click.echo(terminal.as_json(described.json_schema))
    return 0


@command.command("test")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--only", type=click.Choice(get_args(Direction.__value__)), help="Test it as this only.")
@click.option("--json", "json_output", is_flag=True, help="Print a JSON array.")
def test_command(file: Path, only: Direction | None, json_output: bool) -> int:
    """Test the source and the destination of FILE: a workflow file, or a file with ``connector`` and ``settings``.

    Of a source, one page is listed and the first file opened. A destination of files gets one small file, which is
    read and deleted again; a database gets a table of its own with one row, which is dropped again.

    Exit code: 0 everything works; 1 a step failed, or the file is not valid; 2 a setting is wrong, the connector is
    unknown, or its library is missing.
    """
    from docfleet.cli.show.summary import plain

    results, refused = _test(file, only)
    if json_output:
        click.echo(terminal.as_json(msgspec.to_builtins(results)))
    else:
        for result in results:
            click.echo(f"{result.direction}  {result.connector}")
            for step in result.steps:
                click.echo(f"  {step.name:<9}{'ok' if step.ok else 'FAILED':<8}{plain(step.detail)}")
    if refused:
        return ExitCode.WRONG_CONFIGURATION
    return ExitCode.SUCCESS if all(result.ok for result in results) else ExitCode.FAILURE


def _test(file: Path, only: Direction | None) -> tuple[list[ConnectorTestResult], bool]:
    """The result of each direction, and whether settings were refused before anything was tried."""
    from docfleet.cli.workflow_file import read_endpoints
    from docfleet.connectors.probe import directions, probe

    results, refused = [], False
    given = read_endpoints(file)
    wanted: list[tuple[Direction, dict[str, Any]]] = []
    if isinstance(given, dict):
        wanted = [(direction, given) for direction in directions(given["connector"])]
    else:
        wanted = [("source", given[0]), ("destination", given[1])]
    for direction, endpoint in wanted:
        if only not in (None, direction) or endpoint["connector"] == API_CONNECTOR:
            continue
        configuration = {key: value for key, value in endpoint.items() if key not in ("connector", "settings")}
        try:
            results.append(probe(endpoint["connector"], endpoint["settings"], direction, configuration))
        except ConfigurationError as error:
            refused = True
            step = ProbeStep("settings", False, error.message, error.code)
            results.append(ConnectorTestResult(endpoint["connector"], direction, False, [step]))
    if not results:
        raise ConfigurationError(f"{file}: there is nothing to test: files of an API come with the call")
    return results, refused


def _line(entry: ConnectorDescription) -> tuple[str, str, str, str, str]:
    if entry.problem:
        return (entry.name, "-", "-", entry.problem, "-")
    use = "+".join(word for word, does in (("read", entry.can_read), ("write", entry.can_write)) if does)
    if entry.mode == "DATABASE":
        use = "write"
    library = f"missing: pip install 'docfleet-connectors[{entry.extra}]'" if entry.missing else "installed"
    return (entry.name, use, (entry.mode or "").lower(), library, entry.tested or NOT_RUN)
